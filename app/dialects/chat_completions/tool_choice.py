"""Which of the offered functions the model may or must call: `tool_choice`, or the old `function_call`."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolChoice
from app.dialects.fields import invalid, mapping
from app.dialects.openai.tool_choice import Offer, Tools, allowed, by_word, name


def offered(choice: Any, tools: Tools, param: str) -> Offer:
    """Return the tools that a `tool_choice`, or an old `function_call`, leaves, and whether one must be called.

    `param` is the choice's name. Raises BadRequest naming the field.
    """
    if choice is None:
        return tools, ToolChoice()
    if isinstance(choice, str):
        return by_word(choice, tools, param)
    kind = mapping(choice, param).get("type", "function" if param == "function_call" else None)
    if kind == "allowed_tools":
        return allowed(mapping(choice.get(kind), f"{param}.{kind}"), tools, f"{param}.{kind}", _function)
    if kind != "function":
        raise invalid(f"{param}.type", "must be function or allowed_tools")
    function, place = (choice, param) if param == "function_call" else _function(choice, param)
    return tools, ToolChoice(name=name(function, place, tools))


def _function(choice: dict[str, Any], param: str) -> tuple[dict[str, Any], str]:
    return mapping(choice.get("function"), f"{param}.function"), f"{param}.function"
