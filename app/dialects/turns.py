"""Messages become turns that alternate, as the API wants them."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Literal

from app.conversation import Block, ImageBlock, TextBlock, ToolResultBlock, ToolUseBlock, Turn, interrupted
from app.dialects import images
from app.dialects.fields import invalid
from app.dialects.tool_rounds import ToolRounds
from app.errors import BadRequest
from app.event_loop import pause

# The API wants a user's turn first and last; OpenAI's clients need not send one.
OPENING = TextBlock("[The conversation opens with the assistant's message.]")
CONTINUE = TextBlock("Continue.")

MAX_BLOCKS = 50_000

Role = Literal["user", "assistant"]


class Turns:
    """Takes up messages one by one; neighbours of one role become one turn.

    The API wants each call's result right after the turn that made it, and clients put them elsewhere: results are
    moved to their calls, words said meanwhile join the turn of the calls, and a call that has no result although the
    conversation went on is answered as interrupted. The places of what came twice are added to `ignored`.
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
        self._pictures += sum(_pictures(block) for block in added)
        if self._pictures > images.MOST:
            raise invalid(param, f"has more than the {images.MOST} pictures one request may hold")
        if added:
            self._messages.append((role, added))
        if role == "user" and any(not isinstance(block, ToolResultBlock) for block in added):
            self.rounds.speak()

    def resume(self, turn: Turn) -> None:
        """Take up a turn that was said before. Raises BadRequest naming the input."""
        self.rounds.resume(turn)
        self.add(turn.role, turn.content, "input")

    def framed(self, param: str, lacking: str) -> tuple[Turn, ...]:
        """Return the turns, the first and the last of them the user's. Raises BadRequest where there is none."""
        if not self._messages:
            raise BadRequest(f"{param} hold no text", param=param, code="invalid_value")
        turns = self.as_they_are(param, lacking)
        opening = (Turn("user", (OPENING,)),) if turns[0].role == "assistant" else ()
        closing = (Turn("user", (CONTINUE,)),) if turns[-1].role == "assistant" else ()
        return (*opening, *turns, *closing)

    def as_they_are(self, param: str, lacking: str) -> tuple[Turn, ...]:
        """Return the turns.

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
        return tuple(Turn(role, tuple(blocks)) for role, blocks in arrangement.turns)


class _Arrangement:
    """Puts blocks into turns in which every call has its result where the API wants it."""

    def __init__(self, messages: Iterable[tuple[Role, list[Block]]]) -> None:
        self.turns: list[tuple[Role, list[Block]]] = []
        everything = [block for _, blocks in messages for block in blocks]
        self._results = {block.tool_use_id: block for block in everything if isinstance(block, ToolResultBlock)}
        self._calls = {block.id for block in everything if isinstance(block, ToolUseBlock)}
        self._passed: dict[str, int] = {}  # results that stood before the place that is looked at, and their order
        # Of the assistant's last turn: its calls, and how many of them have results that are passed, or still to come.
        self._last: collections.Counter[str] = collections.Counter()
        self._had = self._awaited = 0
        self._numbers: list[int] = []  # the messages that the blocks of the assistant's last turn come from

    def take(self, role: Role, block: Block, number: int) -> None:
        """Take up the next block, of the message of this number."""
        if isinstance(block, ToolResultBlock) and block.tool_use_id in self._calls:
            self._pass(block.tool_use_id)
        elif role == "assistant":
            if not self._is_open:
                self._close()
                self.turns.append(("assistant", []))
                self._numbers = []
                self._last.clear()
                self._had = self._awaited = 0
            self.turns[-1][1].append(block)
            self._numbers.append(number)
            if isinstance(block, ToolUseBlock):
                self._last[block.id] += 1
                self._had += block.id in self._passed
                self._awaited += block.id in self._results and block.id not in self._passed
        else:
            self._close()
            if not self.turns or self.turns[-1][0] == "assistant":
                self.turns.append(("user", []))
            self.turns[-1][1].append(block)

    def end(self) -> list[str]:
        """Close the last turn; return the calls in it that have no result."""
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
        """The calls of the last turn, if it is the assistant's."""
        return list(self._last) if self.turns and self.turns[-1][0] == "assistant" else []

    @property
    def _is_open(self) -> bool:
        """Whether more of the assistant's belongs into the last turn: its own, and no results of it, or not yet all."""
        if not self.turns or self.turns[-1][0] != "assistant":
            return False
        return not self._had or self._awaited > 0

    def _close(self) -> None:
        """Let the results follow the last turn's calls."""
        if not (calls := self._last_calls):
            return
        self._end_with_calls(self.turns[-1][1])
        given = [call for call in calls if call in self._results]
        order = sorted(given, key=lambda call: self._passed.get(call, len(self._passed)))
        lacking = [interrupted(call) for call in calls if call not in self._results]
        self.turns.append(("user", [*(self._results[call] for call in order), *lacking]))

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


def _pictures(block: Block) -> int:
    inner = block.content if isinstance(block, ToolResultBlock) else (block,)
    return sum(isinstance(item, ImageBlock) for item in inner)
