"""The functions a client offers, the choice among them, and a call's arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from app.agent_turns import STAND_INS
from app.conversation import ToolChoice, ToolDefinition
from app.dialects.fields import array, excessive_field, function_name, invalid, is_deep, mapping, one_of, shown, string
from app.dialects.json_schema import object_schema
from app.event_loop import pause

# The Messages API names no bound. This one is far beyond what clients were seen to send (265), and the CLI takes it.
MAX_TOOLS = 1024


class Offer(msgspec.Struct):
    """The tools that a request offers: the client's functions, and where each stands in the request.

    `built_in` are those that the client's API would run, by name or else by type; nothing runs them here but what of
    Claude Code's own stands in for some.
    """

    functions: list[ToolDefinition] = []
    places: list[str] = []
    built_in: list[str] = []
    own_tools: list[str] = []

    def add(self, function: ToolDefinition, place: str) -> None:
        """Take up a function of the client's."""
        self.functions.append(function)
        self.places.append(place)

    def leave_out(self, tool: dict[str, Any], param: str, ignored: list[str]) -> None:
        """Take up a tool that the client's API would run. Raises BadRequest naming the field where it has no type."""
        kind = string(tool.get("type"), f"{param}.type")
        self.built_in += [name for name in (kind, tool.get("name")) if isinstance(name, str)]
        own = stand_in(kind)
        if own is None:
            ignored.append(f"tools.{kind}")
        elif own not in self.own_tools:
            self.own_tools.append(own)

    def own(self, choice: ToolChoice) -> tuple[str, ...]:
        """Return what of Claude Code's own is wanted, where its name is not that of a function of the client's."""
        names = {function.name for function in self.functions}
        return () if choice.forbidden else tuple(own for own in self.own_tools if own not in names)

    def forced(self, name: Any, param: str) -> ToolChoice:
        """Return the choice of a tool that the client's API would run. Raises BadRequest where nothing stands in."""
        own = stand_in(name) if isinstance(name, str) else None
        if own is None or own not in self.own_tools:
            raise invalid(param, f"asks for {shown(name)}, which this server does not run")
        return ToolChoice(name=own)


def stand_in(name: str) -> str | None:
    """Return the tool of Claude Code's that stands in for one of another API's, if there is one."""
    return next((own for start, own in STAND_INS.items() if name.startswith(start)), None)


def check_number(tools: Sequence[Any], param: str, most: int = MAX_TOOLS) -> None:
    """Raise BadRequest naming `param` where there are more than `most` tools."""
    if len(tools) > most:
        raise invalid(param, f"must hold at most {most} tools, not {len(tools)}")


def definition(function: dict[str, Any], param: str, schema_key: str = "parameters") -> ToolDefinition:
    """Return a function whose JSON Schema stands under `schema_key`. Raises BadRequest naming the field."""
    pause()
    description, schema = function.get("description"), function.get(schema_key)
    if schema is None:
        schema = {"type": "object", "properties": {}}
    return ToolDefinition(
        function_name(function.get("name"), f"{param}.name"),
        "" if description is None else string(description, f"{param}.description"),
        object_schema(schema, f"{param}.{schema_key}"),
    )


def check_names(offer: Offer) -> None:
    """Raise BadRequest when a name comes twice."""
    seen: set[str] = set()
    for tool, param in zip(offer.functions, offer.places, strict=True):
        place = f"{param}.name"
        if tool.name in seen:
            raise invalid(place, f"{tool.name!r} is used twice")
        seen.add(tool.name)


WORDS = ("none", "auto", "required")
Tools = tuple[ToolDefinition, ...]
Chosen = tuple[Tools, ToolChoice]
# Returns where a choice of one function has its name: an object and its place.
Naming = Callable[[dict[str, Any], str], tuple[dict[str, Any], str]]


def chosen_by_word(word: str, tools: Tools, param: str) -> Chosen:
    """Return what one of WORDS leaves of the tools, and whether one must be called. Raises BadRequest."""
    one_of(word, WORDS, param)
    if word == "none":
        return (), ToolChoice(forbidden=True)
    if word == "required" and not tools:
        raise invalid(param, "is 'required', but no tools are offered")
    return tools, ToolChoice(required=word == "required")


def allowed_tools(choice: dict[str, Any], offer: Offer, param: str, naming: Naming) -> Chosen:
    """Return what a choice of several tools leaves of the functions. Raises BadRequest naming the field."""
    mode = one_of(choice.get("mode"), ("auto", "required"), f"{param}.mode")
    listed = array(choice.get("tools"), f"{param}.tools")
    if len(listed) > MAX_TOOLS:
        raise invalid(f"{param}.tools", f"must hold at most {MAX_TOOLS} tools, not {len(listed)}")
    places = [(tool, f"{param}.tools[{index}]") for index, tool in enumerate(listed)]
    functions = [(tool, at) for tool, at in places if mapping(tool, at).get("type") not in offer.built_in]
    named = [naming(tool, at) for tool, at in functions]
    names = {chosen_name(function, place, offer.functions) for function, place in named}
    return chosen_by_word(mode, tuple(tool for tool in offer.functions if tool.name in names), f"{param}.mode")


def chosen_name(function: dict[str, Any], param: str, tools: Iterable[ToolDefinition]) -> str:
    """Return the name of the function that is chosen, one of those offered. Raises BadRequest."""
    chosen = function_name(function.get("name"), f"{param}.name")
    if chosen not in {tool.name for tool in tools}:
        raise invalid(f"{param}.name", f"{chosen!r} is none of the tools offered")
    return chosen


# A text with more values is kept as it is. Only a text of more characters can have so many.
MAX_ARGUMENT_VALUES = 20_000


def arguments(text: Any) -> dict[str, Any]:
    """Return the arguments as the object the API wants; what another model once garbled is kept as it was."""
    if isinstance(text, dict):
        return text
    try:
        value = msgspec.json.decode(text) if text and not _is_large(text) else text or {}
    except (msgspec.DecodeError, TypeError, RecursionError):
        value = text
    if is_deep(value):
        value = text
    return value if isinstance(value, dict) else {"arguments": value}


def _is_large(text: Any) -> bool:
    """Tell whether a text has more values in it than anybody's arguments: the count of the body did not see them."""
    if not isinstance(text, str) or len(text) <= MAX_ARGUMENT_VALUES:
        return False
    return excessive_field(text.encode(), MAX_ARGUMENT_VALUES) is not None
