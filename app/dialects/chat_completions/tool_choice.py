"""Which of the offered functions the model may or must call.

https://platform.openai.com/docs/guides/function-calling
"""

from __future__ import annotations

from typing import Any

from app.conversation import ToolChoice, ToolDefinition
from app.dialects.fields import array, function_name, invalid, mapping, one_of

WORDS = ("none", "auto", "required")
Offer = tuple[tuple[ToolDefinition, ...], ToolChoice]


def offered(choice: Any, tools: tuple[ToolDefinition, ...], param: str) -> Offer:
    """Return the tools that a `tool_choice`, or an old `function_call`, leaves, and whether one must be called.

    `param` is the choice's name. Raises BadRequest naming the field.
    """
    if choice is None:
        return tools, ToolChoice()
    if isinstance(choice, str):
        return _by_word(one_of(choice, WORDS, param), tools, param)
    kind = mapping(choice, param).get("type", "function" if param == "function_call" else None)
    if kind == "allowed_tools":
        return _allowed(mapping(choice.get(kind), f"{param}.{kind}"), tools, f"{param}.{kind}")
    if kind != "function":
        raise invalid(f"{param}.type", "must be function or allowed_tools")
    if param == "function_call":
        return tools, ToolChoice(name=_name(choice, tools, param))
    return tools, ToolChoice(name=_nested_name(choice, tools, param))


def _by_word(word: str, tools: tuple[ToolDefinition, ...], param: str) -> Offer:
    if word == "none":
        return (), ToolChoice(forbidden=True)
    if word == "required" and not tools:
        raise invalid(param, "is 'required', but no tools are offered")
    return tools, ToolChoice(required=word == "required")


def _allowed(choice: dict[str, Any], tools: tuple[ToolDefinition, ...], param: str) -> Offer:
    mode = one_of(choice.get("mode"), ("auto", "required"), f"{param}.mode")
    listed = array(choice.get("tools"), f"{param}.tools")
    places = [(tool, f"{param}.tools[{index}]") for index, tool in enumerate(listed)]
    names = {_nested_name(mapping(tool, place), tools, place) for tool, place in places}
    return _by_word(mode, tuple(tool for tool in tools if tool.name in names), f"{param}.mode")


def _nested_name(choice: dict[str, Any], tools: tuple[ToolDefinition, ...], param: str) -> str:
    return _name(mapping(choice.get("function"), f"{param}.function"), tools, f"{param}.function")


def _name(function: dict[str, Any], tools: tuple[ToolDefinition, ...], param: str) -> str:
    name = function_name(function.get("name"), f"{param}.name")
    if name not in {tool.name for tool in tools}:
        raise invalid(f"{param}.name", f"{name!r} is none of the tools offered")
    return name
