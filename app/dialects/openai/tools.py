"""Which tool must be called, and a call's arguments: a JSON text on the wire, an object for the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from app.conversation import ToolChoice, ToolDefinition
from app.dialects import json_size
from app.dialects.fields import array, function_name, invalid, is_deep, mapping, one_of
from app.dialects.tools import MAX_TOOLS, Offer

WORDS = ("none", "auto", "required")
Tools = tuple[ToolDefinition, ...]
Chosen = tuple[Tools, ToolChoice]
# Returns where a choice of one function has its name: an object and its place.
Naming = Callable[[dict[str, Any], str], tuple[dict[str, Any], str]]


def by_word(word: str, tools: Tools, param: str) -> Chosen:
    """Return what one of WORDS leaves of the tools, and whether one must be called. Raises BadRequest."""
    one_of(word, WORDS, param)
    if word == "none":
        return (), ToolChoice(forbidden=True)
    if word == "required" and not tools:
        raise invalid(param, "is 'required', but no tools are offered")
    return tools, ToolChoice(required=word == "required")


def allowed(choice: dict[str, Any], offer: Offer, param: str, naming: Naming) -> Chosen:
    """Return what a choice of several tools leaves of the functions. Raises BadRequest naming the field."""
    mode = one_of(choice.get("mode"), ("auto", "required"), f"{param}.mode")
    listed = array(choice.get("tools"), f"{param}.tools")
    if len(listed) > MAX_TOOLS:
        raise invalid(f"{param}.tools", f"must hold at most {MAX_TOOLS} tools, not {len(listed)}")
    places = [(tool, f"{param}.tools[{index}]") for index, tool in enumerate(listed)]
    functions = [(tool, at) for tool, at in places if mapping(tool, at).get("type") not in offer.built_in]
    named = [naming(tool, at) for tool, at in functions]
    names = {name(function, place, offer.tools) for function, place in named}
    return by_word(mode, tuple(tool for tool in offer.tools if tool.name in names), f"{param}.mode")


def name(function: dict[str, Any], param: str, tools: Tools) -> str:
    """Return the name of the function that is chosen, one of those offered. Raises BadRequest."""
    chosen = function_name(function.get("name"), f"{param}.name")
    if chosen not in {tool.name for tool in tools}:
        raise invalid(f"{param}.name", f"{chosen!r} is none of the tools offered")
    return chosen


# A text of more is kept as it is; it would have to be large to have so many.
MAX_VALUES = 20_000


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
    if not isinstance(text, str) or len(text) <= MAX_VALUES:
        return False
    return json_size.excessive_field(text.encode(), MAX_VALUES) is not None
