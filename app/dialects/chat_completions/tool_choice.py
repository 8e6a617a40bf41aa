"""Which of the offered functions the model may or must call: `tool_choice`, or the old `function_call`."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolChoice
from app.dialects.anthropic import tools as anthropic
from app.dialects.fields import invalid, mapping, shown
from app.dialects.openai.tool_choice import Tools, allowed, by_word, name
from app.dialects.tools import Offer


def chosen(choice: Any, offer: Offer, param: str) -> tuple[Tools, ToolChoice, bool]:
    """Return the tools that a choice leaves, whether one must be called, and whether several may be at once.

    `param` is the choice's name, `tool_choice` or the old `function_call`. Raises BadRequest naming the field.
    """
    tools = offer.tools
    if choice is None:
        return tools, ToolChoice(), True
    if isinstance(choice, str):
        return *by_word(choice, tools, param), True
    kind = mapping(choice, param).get("type", "function" if param == "function_call" else None)
    if kind in anthropic.CHOICES and param == "tool_choice":
        return anthropic.chosen(choice, offer)
    if kind == "allowed_tools":
        place = f"{param}.{kind}"
        return *allowed(mapping(choice.get(kind), place), offer, place, _function), True
    if kind in offer.built_in:
        return tools, offer.forced(kind, f"{param}.type"), True
    if kind != "function":
        raise invalid(f"{param}.type", f"must be function or allowed_tools, not {shown(kind)}")
    function, place = (choice, param) if param == "function_call" else _function(choice, param)
    return tools, ToolChoice(name=name(function, place, tools)), True


def _function(choice: dict[str, Any], param: str) -> tuple[dict[str, Any], str]:
    if "function" not in choice and "name" in choice:
        return choice, param
    return mapping(choice.get("function"), f"{param}.function"), f"{param}.function"
