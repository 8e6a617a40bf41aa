"""The messages of a request in the order that the API wants: sides alternate, results follow their calls."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from app.conversation import (
    Block,
    DocumentBlock,
    ImageBlock,
    Message,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    interrupted,
    plain,
)
from app.dialects.attachments import MAX_PICTURES
from app.dialects.fields import invalid, shown
from app.errors import BadRequest
from app.event_loop import pause

Content = TextBlock | ImageBlock | DocumentBlock

# Of an id, in characters; the APIs' own have 30.
MAX_ID = 1000


class ToolRounds:
    """Follows the calls of one history, message by message.

    Clients may hand ids back without their punctuation, so ids are compared by their letters and digits. A result may
    come before its call. What comes twice and is the same is left out, and its place added to `ignored`. Where the
    history `continues` one that the client does not repeat, results may have no call; the session checks them.
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

    def resume(self, message: Message) -> None:
        """Take up a message that was said before, whose ids are the API's."""
        for block in message.content:
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
        """Return a call of the assistant's, or nothing if it was read already.

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
        """Return what a call gave, or nothing if the result was read already.

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


# The API wants a user's message first and last; OpenAI's clients need not send one.
OPENING = TextBlock("[The conversation opens with the assistant's message.]")
CONTINUE = TextBlock("Continue.")

MAX_BLOCKS = 50_000

Role = Literal["user", "assistant"]


class MessageList:
    """Takes up messages one by one; neighbours of one role become one.

    The API wants each call's result right after the message that made it, and clients put them elsewhere: results are
    moved to their calls, words said meanwhile join the message of the calls, and a call without a result is answered as
    interrupted where the conversation went on. The places of what came twice are added to `ignored`.
    """

    def __init__(self, ignored: list[str], *, continues: bool = False) -> None:
        self.rounds = ToolRounds(ignored, continues=continues)
        self._messages: list[tuple[Role, list[Block]]] = []
        self._pictures = 0
        self._blocks = 0

    @property
    def last_role(self) -> Role | None:
        """Return whose the last message is, None where there is none."""
        return self._messages[-1][0] if self._messages else None

    def add(self, role: Role, blocks: Iterable[Block], param: str) -> None:
        """Take up what a message holds. Raises BadRequest naming `param` where the pictures become too many."""
        added = list(blocks)
        self._blocks += len(added)
        if self._blocks > MAX_BLOCKS:
            raise invalid(param, f"has more than the {MAX_BLOCKS:,} blocks one request may hold")
        inner = (block.content if isinstance(block, ToolResultBlock) else (block,) for block in added)
        self._pictures += sum(isinstance(item, ImageBlock) for items in inner for item in items)
        if self._pictures > MAX_PICTURES:
            raise invalid(param, f"has more than the {MAX_PICTURES} pictures one request may hold")
        if added:
            self._messages.append((role, added))
        if role == "user" and any(not isinstance(block, ToolResultBlock) for block in added):
            self.rounds.speak()

    def resume(self, message: Message) -> None:
        """Take up a message that was said before. Raises BadRequest naming the input."""
        self.rounds.resume(message)
        self.add(message.role, message.content, "input")

    def framed(self, param: str, lacking: str) -> tuple[Message, ...]:
        """Return the messages, the first and the last of them the user's. Raises BadRequest where there is none."""
        if not self._messages:
            raise BadRequest(f"{param} hold no text", param=param, code="invalid_value")
        messages = self.as_they_are(param, lacking)
        opening = (Message("user", (OPENING,)),) if messages[0].role == "assistant" else ()
        closing = (Message("user", (CONTINUE,)),) if messages[-1].role == "assistant" else ()
        return (*opening, *messages, *closing)

    def as_they_are(self, param: str, lacking: str) -> tuple[Message, ...]:
        """Return the messages.

        Raises BadRequest naming `param` where the last calls have no results, which come as what is `lacking`, and
        naming a result's place where it has no call.
        """
        self.rounds.check()
        arrangement = _Arrangement(self._messages)
        for number, (role, blocks) in enumerate(self._messages):
            for block in blocks:
                pause()
                arrangement.take(role, block, number)
        if missing := arrangement.end():
            names = ", ".join(missing)
            raise BadRequest(
                f"{param}: the last tool calls lack {lacking} for: {names}", param=param, code="invalid_value"
            )
        return tuple(Message(role, tuple(blocks)) for role, blocks in arrangement.messages)


def is_framed(messages: Sequence[Message]) -> bool:
    """Tell whether messages have one of the user's in front or at the end that the client did not send."""
    return messages[0].content == (OPENING,) or messages[-1].content == (CONTINUE,)


class _Arrangement:
    """Puts blocks into messages in which every call has its result where the API wants it."""

    def __init__(self, messages: Iterable[tuple[Role, list[Block]]]) -> None:
        self.messages: list[tuple[Role, list[Block]]] = []
        everything = [block for _, blocks in messages for block in blocks]
        self._results = {block.tool_use_id: block for block in everything if isinstance(block, ToolResultBlock)}
        self._calls = {block.id for block in everything if isinstance(block, ToolUseBlock)}
        self._passed: dict[str, int] = {}  # results that stood before the place that is looked at, and their order
        # Of the assistant's last message: its calls, and how many of them have results passed, or still to come.
        self._last: collections.Counter[str] = collections.Counter()
        self._had = self._awaited = 0
        self._numbers: list[int] = []  # the messages that the blocks of the assistant's last message come from

    def take(self, role: Role, block: Block, number: int) -> None:
        """Take up the next block, of the message of this number."""
        if isinstance(block, ToolResultBlock) and block.tool_use_id in self._calls:
            self._pass(block.tool_use_id)
        elif role == "assistant":
            if not self._is_open:
                self._close()
                self.messages.append(("assistant", []))
                self._numbers = []
                self._last.clear()
                self._had = self._awaited = 0
            self.messages[-1][1].append(block)
            self._numbers.append(number)
            if isinstance(block, ToolUseBlock):
                self._last[block.id] += 1
                self._had += block.id in self._passed
                self._awaited += block.id in self._results and block.id not in self._passed
        else:
            self._close()
            if not self.messages or self.messages[-1][0] == "assistant":
                self.messages.append(("user", []))
            self.messages[-1][1].append(block)

    def end(self) -> list[str]:
        """Close the last message; return the calls in it that have no result."""
        missing = [call for call in self._last_calls if call not in self._results]
        if not missing:
            self._close()
        return missing

    def _pass(self, call: str) -> None:
        if call not in self._passed:
            self._passed[call] = len(self._passed)
            self._had += self._last[call]
            self._awaited -= self._last[call]

    @property
    def _last_calls(self) -> list[str]:
        """The calls of the last message, if it is the assistant's."""
        return list(self._last) if self.messages and self.messages[-1][0] == "assistant" else []

    @property
    def _is_open(self) -> bool:
        """Whether the assistant's next block belongs to the last message: its own, with no results yet, or not all."""
        if not self.messages or self.messages[-1][0] != "assistant":
            return False
        return not self._had or self._awaited > 0

    def _close(self) -> None:
        """Let the results follow the last message's calls."""
        if not (calls := self._last_calls):
            return
        self._end_with_calls(self.messages[-1][1])
        given = [call for call in calls if call in self._results]
        order = sorted(given, key=lambda call: self._passed.get(call, len(self._passed)))
        lacking = [interrupted(call) for call in calls if call not in self._results]
        self.messages.append(("user", [*(self._results[call] for call in order), *lacking]))

    def _end_with_calls(self, blocks: list[Block]) -> None:
        """Move what later messages said after the calls before them: the API's own answers end with their calls."""
        last = max(index for index, block in enumerate(blocks) if isinstance(block, ToolUseBlock))
        first = last
        while first > 0 and isinstance(blocks[first - 1], ToolUseBlock):
            first -= 1
        moved: list[Block] = []
        kept: list[Block] = []
        for block, number in zip(blocks[last + 1 :], self._numbers[last + 1 :], strict=True):
            (kept if number == self._numbers[last] else moved).append(block)
        blocks[last + 1 :] = kept
        blocks[first:first] = moved


def in_tags(text: str) -> list[TextBlock]:
    """Return the text of a system message that stands between others, nothing for an empty one."""
    return [TextBlock(f"<system>\n{text}\n</system>")] if text else []
