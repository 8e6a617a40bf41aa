"""Which of the offered functions the model may or must call.

https://platform.openai.com/docs/guides/function-calling
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.conversation import ToolChoice, ToolDefinition
from app.dialects.fields import array, function_name, invalid, mapping, one_of
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
