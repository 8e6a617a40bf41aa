"""Tool calls and their results in the history: each call answered, right after it, as the API demands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from app.conversation import DocumentBlock, ImageBlock, TextBlock, ToolResultBlock, ToolUseBlock, Turn, plain
from app.dialects.fields import invalid
from app.errors import BadRequest

Content = TextBlock | ImageBlock | DocumentBlock


class ToolRounds:
    """Follows the calls of one history, message by message.

    Clients may hand ids back without their punctuation, so ids are compared by their letters and digits. Where the
    history `continues` one that the client does not repeat, results may come first; whoever knows it checks them.
    """

    def __init__(self, *, continues: bool = False) -> None:
        self._continues = continues
        self._open: dict[str, str] = {}  # letters and digits of an unanswered call's id -> the id the API gets
        self._used: set[str] = set()

    def resume(self, turn: Turn) -> None:
        """Take up a turn that was said before; the calls of the last one wait for their results."""
        self._open = {plain(block.id): block.id for block in turn.content if isinstance(block, ToolUseBlock)}
        self._used.update(self._open.values())

    def call(self, given: Any, name: str, arguments: dict[str, Any], param: str) -> ToolUseBlock:
        """Return a call of the assistant; it must be answered before anything else is said.

        Raises BadRequest naming `param`, the place of its id.
        """
        if not isinstance(given, str) or not plain(given):
            raise invalid(param, "must be a string with letters or digits")
        if plain(given) in self._open:
            raise invalid(param, f"{given!r} is used twice")
        call_id = self._open[plain(given)] = self._unused(_native(given))
        return ToolUseBlock(call_id, name, arguments)

    def result(self, given: Any, content: Iterable[Content], param: str, *, is_error: bool = False) -> ToolResultBlock:
        """Return what a call gave. Raises BadRequest naming `param`, the place of the id, when no call waits for it."""
        if not isinstance(given, str):
            raise invalid(param, "must name the call this is the result of")
        call = self._open.pop(plain(given), None)
        if call is None and self._continues and not self._used:
            call = _native(given)
        if not call:
            raise invalid(param, f"{given!r} answers no tool call of the assistant message before it")
        return ToolResultBlock(call, tuple(content), is_error)

    def expect_none(self, param: str, lacking: str = "a tool message") -> None:
        """Raise BadRequest when a call still waits for its result, which comes as what is `lacking`."""
        if self._open:
            missing = ", ".join(self._open.values())
            raise BadRequest(
                f"{param}: the tool calls before it lack {lacking} for: {missing}", param=param, code="invalid_value"
            )

    def _unused(self, call_id: str) -> str:
        # Some clients count from one again in each round; the API wants ids unique in the conversation.
        number, unique = 1, call_id
        while unique in self._used:
            number += 1
            unique = f"{call_id}-{number}"
        self._used.add(unique)
        return unique


def _native(call_id: str) -> str:
    """Return an id with nothing in it that the API refuses."""
    return re.sub(r"[^a-zA-Z0-9_-]", "", call_id)
