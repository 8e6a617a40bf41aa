"""Functions that a client offers, which of them must be called, and calls and results in the history."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolChoice, ToolResultBlock, ToolUseBlock
from app.dialects import tools as shared
from app.dialects.anthropic import tools as anthropic
from app.dialects.fields import array, function_name, invalid, mapping, shown
from app.dialects.message_list import ToolRounds
from app.dialects.openai.parts import Content
from app.dialects.tools import Offer, Tools, allowed_tools, arguments, chosen_by_word, chosen_name

# As many as OpenAI takes here, which its clients go by: https://platform.openai.com/docs/api-reference/chat/create
MAX_TOOLS = 128


def offer(tools: list[Any], param: str, ignored: list[str]) -> Offer:
    """Return the functions of `tools`, or of `functions` where `param` says so; names may repeat.

    Tools that OpenAI runs, and those without a schema, are left out. Raises BadRequest naming the field.
    """
    shared.check_number(tools, param, MAX_TOOLS)
    found = Offer()
    for index, tool in enumerate(tools):
        place = f"{param}[{index}]"
        if param == "functions":
            found.add(shared.definition(mapping(tool, place), place), place)
        else:
            _add(mapping(tool, place), place, found, ignored)
    return found


def _add(tool: dict[str, Any], param: str, offer: Offer, ignored: list[str]) -> None:
    if "input_schema" in tool and anthropic.is_function(tool):
        # Cursor sends a Claude model's tools in this form.
        offer.add(shared.definition(tool, param, anthropic.SCHEMA), param)
    elif tool.get("type") != "function" and "function" not in tool:
        offer.leave_out(tool, param, ignored)
    elif "function" not in tool and "name" in tool:
        # Clients of the Responses API send tools in this form.
        offer.add(shared.definition(tool, param), param)
    else:
        place = f"{param}.function"
        offer.add(shared.definition(mapping(tool.get("function"), place), place), place)


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
    """Return the result of a tool message, or nothing if it is a repetition. Raises BadRequest naming the field."""
    given = message.get("tool_call_id", OLD_CALL if message["role"] == OLD_CALL else None)
    return rounds.result(given, content, f"{param}.tool_call_id")


def _call(call: Any, param: str, rounds: ToolRounds) -> list[ToolUseBlock]:
    place = f"{param}.function"
    function = mapping(mapping(call, param).get("function"), place)
    return _use(call.get("id"), function, place, f"{param}.id", rounds)


def _use(given: Any, function: dict[str, Any], param: str, id_param: str, rounds: ToolRounds) -> list[ToolUseBlock]:
    name = function_name(function.get("name"), f"{param}.name")
    return rounds.call(given, name, arguments(function.get("arguments")), id_param)


def chosen(choice: Any, offer: Offer, param: str) -> tuple[Tools, ToolChoice, bool]:
    """Return the tools that a choice leaves, whether one must be called, and whether several may be at once.

    `param` is the choice's name, `tool_choice` or the old `function_call`. Raises BadRequest naming the field.
    """
    tools = tuple(offer.functions)
    if choice is None:
        return tools, ToolChoice(), True
    if isinstance(choice, str):
        return *chosen_by_word(choice, tools, param), True
    kind = mapping(choice, param).get("type", "function" if param == "function_call" else None)
    if kind in anthropic.CHOICES and param == "tool_choice":
        return anthropic.chosen(choice, offer)
    if kind == "allowed_tools":
        place = f"{param}.{kind}"
        return *allowed_tools(mapping(choice.get(kind), place), offer, place, _function), True
    if kind in offer.built_in:
        return tools, offer.forced(kind, f"{param}.type"), True
    if kind != "function":
        raise invalid(f"{param}.type", f"must be function or allowed_tools, not {shown(kind)}")
    function, place = (choice, param) if param == "function_call" else _function(choice, param)
    return tools, ToolChoice(name=chosen_name(function, place, tools)), True


def _function(choice: dict[str, Any], param: str) -> tuple[dict[str, Any], str]:
    if "function" not in choice and "name" in choice:
        return choice, param
    return mapping(choice.get("function"), f"{param}.function"), f"{param}.function"
