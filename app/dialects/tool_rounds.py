"""Tool calls and their results in the history: which result is whose, under ids that the API takes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from app.conversation import DocumentBlock, ImageBlock, TextBlock, ToolResultBlock, ToolUseBlock, Turn, plain
from app.dialects.fields import invalid, shown
from app.event_loop import pause

Content = TextBlock | ImageBlock | DocumentBlock

# Of an id, in characters; the APIs' own have 30.
MAX_ID = 1000


class ToolRounds:
    """Follows the calls of one history, message by message.

    Clients may hand ids back without their punctuation, so ids are compared by their letters and digits. A result may
    come before its call. What comes twice and is the same is left out, and its place added to `ignored`. Where the
    history `continues` one that the client does not repeat, results may have no call; whoever knows it checks them.
    """

    def __init__(self, ignored: list[str], *, continues: bool = False) -> None:
        self._continues = continues
        # By the letters and digits of their ids:
        self._open: dict[str, ToolUseBlock] = {}  # calls without a result so far
        self._answered: dict[str, ToolResultBlock] = {}  # the last result of that id
        self._early: dict[str, tuple[str, str]] = {}  # results without a call so far: the id as given, and its place
        self._closed: set[str] = set()  # open calls that the user has spoken after
        self._used: set[str] = set()
        self._repeated: dict[str, int] = {}  # how often an id was given before
        self._called = False
        self._ignored = ignored

    def resume(self, turn: Turn) -> None:
        """Take up a turn that was said before, whose ids are the API's."""
        for block in turn.content:
            if isinstance(block, ToolUseBlock):
                self._open[plain(block.id)] = block
                self._used.add(block.id)
                self._called = True
            elif isinstance(block, ToolResultBlock):
                self._open.pop(plain(block.tool_use_id), None)
                self._answered[plain(block.tool_use_id)] = block

    def speak(self) -> None:
        """Take note that the user says something: a call without a result may have been interrupted."""
        self._closed.update(self._open)

    def call(self, given: Any, name: str, arguments: dict[str, Any], param: str) -> list[ToolUseBlock]:
        """Return a call of the assistant, nothing where it is one that was read already.

        Raises BadRequest naming `param`, the place of its id.
        """
        pause()
        if not isinstance(given, str) or len(given) > MAX_ID or not plain(given):
            raise invalid(param, f"must be a string of at most {MAX_ID} characters with letters or digits in it")
        self._called = True
        key = plain(given)
        before = None if key in self._closed else self._open.get(key)
        if before is not None and (before.name, before.input) == (name, arguments):
            self._ignored.append(param)
            return []
        if before is not None:
            raise invalid(param, f"{shown(given)} is used twice, for different calls")
        if self._early.pop(key, None) is not None:
            return [ToolUseBlock(self._answered[key].tool_use_id, name, arguments)]
        call = self._open[key] = ToolUseBlock(self._unused(_native(given)), name, arguments)
        self._closed.discard(key)
        return [call]

    def result(
        self, given: Any, content: Iterable[Content], param: str, *, is_error: bool = False
    ) -> list[ToolResultBlock]:
        """Return what a call gave, nothing where it is a result that was read already.

        Raises BadRequest naming `param`, the place of the id, for a second result of a call.
        """
        pause()
        if not isinstance(given, str) or len(given) > MAX_ID or not plain(given):
            raise invalid(param, "must name the call this is the result of")
        key, what = plain(given), tuple(content)
        call = self._open.pop(key, None)
        before = self._answered.get(key)
        if call is None and before is not None:
            if (before.content, before.is_error) != (what, is_error):
                raise invalid(param, f"{shown(given)} has another result already; a tool call has one")
            self._ignored.append(param)
            return []
        if call is None and (self._called or not self._continues):
            self._early[key] = (given, param)
        call_id = self._unused(_native(given)) if call is None else call.id
        found = self._answered[key] = ToolResultBlock(call_id, what, is_error)
        return [found]

    def check(self) -> None:
        """Raise BadRequest where a result has no call."""
        for given, param in self._early.values():
            raise invalid(param, f"{shown(given)} answers no tool call of this conversation")

    def _unused(self, call_id: str) -> str:
        # Some clients count from one again in each round; the API wants ids unique in the conversation.
        number, unique = self._repeated.get(call_id, 1), call_id
        while unique in self._used:
            number += 1
            unique = f"{call_id}-{number}"
        self._repeated[call_id] = number  # so that many of one name are not counted again from the first
        self._used.add(unique)
        return unique


def _native(call_id: str) -> str:
    """Return an id with nothing in it that the API refuses."""
    return re.sub(r"[^a-zA-Z0-9_-]", "", call_id)
