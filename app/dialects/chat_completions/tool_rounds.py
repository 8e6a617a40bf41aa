"""Tool calls and their results in the history: each call answered, right after it, as the API demands."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app.conversation import ToolResultBlock, ToolUseBlock, plain
from app.dialects.chat_completions.parts import Content
from app.dialects.fields import array, function_name, invalid, is_deep, mapping
from app.errors import BadRequest

OLD_CALL = "function"


class ToolRounds:
    """Follows the calls of one history, message by message.

    Clients may hand ids back without their punctuation, so ids are compared by their letters and digits. Where the
    history `continues` one that the client does not repeat, results may come first; whoever knows it checks them.
    """

    def __init__(self, *, continues: bool = False) -> None:
        self._continues = continues
        self._open: dict[str, str] = {}  # letters and digits of an unanswered call's id -> the id the API gets
        self._used: set[str] = set()

    def calls(self, message: dict[str, Any], param: str) -> list[ToolUseBlock]:
        """Return the calls of an assistant message; each must be answered before anything else is said."""
        calls = array(message.get("tool_calls"), f"{param}.tool_calls")
        blocks = [self._call(call, f"{param}.tool_calls[{index}]") for index, call in enumerate(calls)]
        if message.get("function_call") is not None:
            place = f"{param}.function_call"
            blocks.append(self._use(OLD_CALL, mapping(message["function_call"], place), place, place))
        return blocks

    def result(self, message: dict[str, Any], content: list[Content], param: str) -> ToolResultBlock:
        """Return the result a tool message carries. Raises BadRequest when no call waits for it."""
        given = message.get("tool_call_id", OLD_CALL if message["role"] == OLD_CALL else None)
        if not isinstance(given, str):
            raise invalid(f"{param}.tool_call_id", "must name the call this is the result of")
        call = self._open.pop(plain(given), None)
        if call is None and self._continues and not self._used:
            call = _native(given)
        if call is None:
            raise invalid(f"{param}.tool_call_id", f"{given!r} answers no tool call of the assistant message before it")
        return ToolResultBlock(call, tuple(content))

    def expect_none(self, param: str) -> None:
        """Raise BadRequest when a call still waits for its result."""
        if self._open:
            missing = ", ".join(self._open.values())
            raise BadRequest(
                f"{param}: the tool calls before it lack a tool message for: {missing}",
                param=param,
                code="invalid_value",
            )

    def _call(self, call: Any, param: str) -> ToolUseBlock:
        place = f"{param}.function"
        function = mapping(mapping(call, param).get("function"), place)
        return self._use(call.get("id"), function, place, f"{param}.id")

    def _use(self, given: Any, function: dict[str, Any], param: str, id_param: str) -> ToolUseBlock:
        name = function_name(function.get("name"), f"{param}.name")
        if not isinstance(given, str) or not plain(given):
            raise invalid(id_param, "must be a string with letters or digits")
        if plain(given) in self._open:
            raise invalid(id_param, f"{given!r} is used twice")
        call_id = self._open[plain(given)] = self._unused(_native(given))
        return ToolUseBlock(call_id, name, _arguments(function.get("arguments")))

    def _unused(self, call_id: str) -> str:
        # Some clients count from one again in each round; the API wants ids unique in the conversation.
        number, unique = 1, call_id
        while unique in self._used:
            number += 1
            unique = f"{call_id}-{number}"
        self._used.add(unique)
        return unique


def _arguments(text: Any) -> dict[str, Any]:
    """Return the arguments as the object the API wants; what another model once garbled is kept as it was."""
    if isinstance(text, dict):
        return text
    try:
        value = msgspec.json.decode(text) if text else {}
    except (msgspec.DecodeError, TypeError, RecursionError):
        value = text
    if is_deep(value):
        value = text
    return value if isinstance(value, dict) else {"arguments": value}


def _native(call_id: str) -> str:
    """Return an id with nothing in it that the API refuses."""
    return re.sub(r"[^a-zA-Z0-9_-]", "", call_id)
