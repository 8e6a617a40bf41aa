"""Tool calls and their results in the history: each call answered, right after it, as the API demands."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app.conversation import TextBlock, ToolResultBlock, ToolUseBlock
from app.errors import BadRequest

# What the API takes in a tool's name; other characters come from clients with their own name spaces.
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
OLD_CALL = "function"


class ToolRounds:
    """Follows the calls of one history, message by message.

    Clients may hand ids back without their punctuation, so ids are compared by their letters and digits.
    """

    def __init__(self) -> None:
        self._open: dict[str, str] = {}  # letters and digits of an unanswered call's id -> the id the API gets
        self._used: set[str] = set()

    def calls(self, message: dict[str, Any], param: str) -> list[ToolUseBlock]:
        """Return the calls of an assistant message; each must be answered before anything else is said."""
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise BadRequest(f"{param}.tool_calls must be an array", param=f"{param}.tool_calls", code="invalid_value")
        blocks = [self._call(call, f"{param}.tool_calls[{index}]") for index, call in enumerate(calls)]
        if message.get("function_call") is not None:
            call = {"id": OLD_CALL, "function": message["function_call"]}
            blocks.append(self._call(call, f"{param}.function_call"))
        return blocks

    def result(self, message: dict[str, Any], content: list[TextBlock], param: str) -> ToolResultBlock:
        """Return the result a tool message carries. Raises BadRequest when no call waits for it."""
        given = message.get("tool_call_id", OLD_CALL if message["role"] == OLD_CALL else None)
        if not isinstance(given, str):
            raise _bad(f"{param}.tool_call_id", "must name the call this is the result of")
        call = self._open.pop(_plain(given), None)
        if call is None:
            raise _bad(f"{param}.tool_call_id", f"{given!r} answers no tool call of the assistant message before it")
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
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not NAME.fullmatch(name):
            raise _bad(f"{param}.function.name", "must be 1 to 128 letters, digits, _ or -")
        given = call.get("id")
        if not isinstance(given, str) or not _plain(given):
            raise _bad(f"{param}.id", "must be a string with letters or digits")
        if _plain(given) in self._open:
            raise _bad(f"{param}.id", f"{given!r} is used twice")
        call_id = self._open[_plain(given)] = self._unused(re.sub(r"[^a-zA-Z0-9_-]", "", given))
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
    return value if isinstance(value, dict) else {"arguments": value}


def _plain(call_id: str) -> str:
    return re.sub(r"[^a-zA-Z0-9]", "", call_id)


def _bad(param: str, text: str) -> BadRequest:
    return BadRequest(f"{param} {text}", param=param, code="invalid_value")
