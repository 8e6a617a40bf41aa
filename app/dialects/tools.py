"""The functions a client offers: how each is described, and which names are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from app.agent_turns import STAND_INS
from app.conversation import ToolChoice, ToolDefinition
from app.dialects.fields import function_name, invalid, shown, string
from app.dialects.json_schema import object_schema
from app.event_loop import pause

# The Messages API names no bound; this one is far beyond what clients were seen to send (265), and the CLI takes it.
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

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        """The functions."""
        return tuple(self.functions)

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
