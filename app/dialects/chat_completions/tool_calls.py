"""Calls and results as messages have them: `tool_calls`, the old `function_call`, and tool messages."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolResultBlock, ToolUseBlock
from app.dialects.fields import array, function_name, mapping
from app.dialects.openai.arguments import arguments
from app.dialects.openai.parts import Content
from app.dialects.tool_rounds import ToolRounds

OLD_CALL = "function"


def calls(message: dict[str, Any], param: str, rounds: ToolRounds) -> list[ToolUseBlock]:
    """Return the calls of an assistant message. Raises BadRequest naming the field."""
    given = array(message.get("tool_calls"), f"{param}.tool_calls")
    places = [(call, f"{param}.tool_calls[{index}]") for index, call in enumerate(given)]
    blocks = [block for call, place in places for block in _call(call, place, rounds)]
    if message.get("function_call") is not None:
        place = f"{param}.function_call"
        blocks += _use(OLD_CALL, mapping(message["function_call"], place), place, place, rounds)
    return blocks


def result(message: dict[str, Any], content: list[Content], param: str, rounds: ToolRounds) -> list[ToolResultBlock]:
    """Return the result a tool message carries, nothing for a repeated one. Raises BadRequest naming the field."""
    given = message.get("tool_call_id", OLD_CALL if message["role"] == OLD_CALL else None)
    return rounds.result(given, content, f"{param}.tool_call_id")


def _call(call: Any, param: str, rounds: ToolRounds) -> list[ToolUseBlock]:
    place = f"{param}.function"
    function = mapping(mapping(call, param).get("function"), place)
    return _use(call.get("id"), function, place, f"{param}.id", rounds)


def _use(given: Any, function: dict[str, Any], param: str, id_param: str, rounds: ToolRounds) -> list[ToolUseBlock]:
    name = function_name(function.get("name"), f"{param}.name")
    return rounds.call(given, name, arguments(function.get("arguments")), id_param)
