"""What a process has been told, line by line, and how much of it another conversation can use: pure, without I/O.

Conversations are compared by digests of all that decides the next answer: they go on alike only where these are equal.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from app import paced_json
from app.claude.cli.tool_names import plain_id, with_ids
from app.claude.cli.tools import MAX_OUTPUT_CHARACTERS
from app.conversation import Block, Conversation, Message, TextBlock, ToolResultBlock, ToolUseBlock
from app.event_loop import pause, pieces

_encoder = msgspec.json.Encoder()

# A longer result might not reach the model whole: the CLI writes what is longer than MAX_OUTPUT_CHARACTERS, as JSON, to
# a file, and shows its beginning. JSON takes up to six characters for one byte.
MAX_RESULT_BYTES = MAX_OUTPUT_CHARACTERS // 6


def steps(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return the messages as a process is told them, a line for each: words behind results are a step of their own.

    The API gets both as one message, but one can go back to before the words, not to before the results. These are in
    the order of their calls, as the CLI itself has them.
    """
    found: list[Message] = []
    order: dict[str, int] = {}
    for message in messages:
        pause()
        results = [block for block in message.content if isinstance(block, ToolResultBlock)]
        if results:
            results.sort(key=lambda result: order.get(plain_id(result.tool_use_id), len(order)))
            found.append(Message(message.role, tuple(results)))
        if len(results) < len(message.content):
            found.append(Message(message.role, tuple(b for b in message.content if not isinstance(b, ToolResultBlock))))
        calls = [plain_id(block.id) for block in message.content if isinstance(block, ToolUseBlock)]
        order = {call: place for place, call in enumerate(calls)}
    return tuple(found)


def digests_of(conversation: Conversation, told: Sequence[Message]) -> list[bytes]:
    """Return digests of the conversation, `told` in these steps, cut after 0, 1, 2, ... of them.

    Each covers the owner, model, system prompt, options and all tools.
    """
    start = (
        conversation.owner,
        conversation.model,
        conversation.system,
        conversation.tools,
        conversation.options,
        conversation.workplace,
    )
    return chain(hashlib.sha256(_encoder.encode(start)).digest(), told)


def chain(setup: bytes, told: Iterable[Message]) -> list[bytes]:
    """Return the digests of a conversation with this set-up, `told` in these steps, cut after 0, 1, 2, ... of them."""
    digests = [setup]
    for step in told:
        digests.append(extended(digests[-1], step))
    return digests


def subject(conversation: Conversation) -> bytes:
    """Return a digest of what a process was told in its set-up that the model gets to read."""
    options = conversation.options
    told = (
        conversation.owner,
        conversation.model,
        conversation.system,
        conversation.tools,
        options.tool_choice,
        options.schema,
        conversation.workplace,
    )
    return hashlib.sha256(_encoder.encode(told)).digest()


def extended(digest: bytes, step: Message) -> bytes:
    """Return the digest of a conversation that goes on with `step`, by plain ids: clients may hand these back."""
    sha = hashlib.sha256(digest + step.role.encode())
    content = _undivided(step.content) if step.role == "assistant" else step.content
    for piece in pieces(paced_json.encoded(with_ids(content, plain_id))):
        sha.update(piece)
    return sha.digest()


def _undivided(content: tuple[Block, ...]) -> tuple[Block, ...]:
    """Return blocks with neighbouring texts as one: what was shown between them does not come back."""
    found: list[Block] = []
    for kind, blocks in itertools.groupby(content, type):
        if kind is TextBlock:
            found.append(TextBlock("".join(block.text for block in blocks if isinstance(block, TextBlock))))
        else:
            found += blocks
    return tuple(found)


class Line(NamedTuple):
    """A step that was told: the digest of the conversation up to it, and the line's id where it has one of ours.

    A `landmark` is one that a process can be taken back to before.
    """

    digest: bytes
    uuid: str | None = None
    landmark: bool = False


class Memory:
    """What a process knows: its `setup`, by its digest, and `lines`; nothing at all while the setup is None.

    Where it is not `exact` the process knows more than that, or something else behind its last line: an answer that the
    client did not get so. `calls` are the plain ids of the calls whose results it waits for; `newest` is the id of the
    user's line that was told last.
    """

    def __init__(self) -> None:
        self.setup: bytes | None = None
        self.lines: list[Line] = []
        self.exact = True
        self.calls: frozenset[str] = frozenset()
        self.newest: str | None = None

    def add(self, line: Line) -> None:
        """Take note of a line."""
        self.lines.append(line)
        self.newest = line.uuid or self.newest

    def forget(self, place: int) -> None:
        """Go back to where only the first `place` lines had been told."""
        del self.lines[place:]
        self.exact, self.calls = True, frozenset()
        self.newest = next((line.uuid for line in reversed(self.lines) if line.uuid is not None), None)

    def knows(self, digests: Sequence[bytes]) -> bool:
        """Tell whether the process knows this very conversation: whether it is the same up to the first answer."""
        return len(self.lines) > 1 and len(digests) > 2 and self.lines[1].digest == digests[2]  # noqa: PLR2004

    def place(self, digests: Sequence[bytes], steps: Sequence[Message], *, going_back: bool) -> int | None:
        """Return how many of a conversation's steps the process knows when it has gone back as far as it must.

        None if the process cannot be used for the conversation. There is one digest more than there are steps. The
        last step is the question, which is still to be asked.
        """
        if self.setup is None or self.setup != digests[0]:
            return None
        # A digest covers all before it, so the common steps are found by bisection.
        most = min(len(self.lines), len(digests) - 1)
        common = bisect.bisect_left(range(most), 1, key=lambda number: self.lines[number].digest != digests[number + 1])
        if self._goes_on(common, steps):
            return common
        if not going_back:
            return None
        for place in range(min(common, len(steps) - 1, len(self.lines) - 1), -1, -1):
            if self.lines[place].landmark:
                return place
        return None

    def _goes_on(self, common: int, steps: Sequence[Message]) -> bool:
        """Tell whether the process can take up the steps behind the common ones without going back."""
        if not self.exact or common != len(self.lines) or common >= len(steps):
            return False
        if not self.calls:
            return True
        # With results the CLI asks the API at once, so nothing else may come with them. It must not change any of them.
        (results, *more) = steps[common:]
        return (
            not more
            and all(isinstance(block, ToolResultBlock) and _goes_unchanged(block) for block in results.content)
            and sorted(plain_id(block.tool_use_id) for block in results.content if isinstance(block, ToolResultBlock))
            == sorted(self.calls)
        )


def _goes_unchanged(result: ToolResultBlock) -> bool:
    """Tell whether the CLI hands a result to the model as it is: no empty one, no picture, none that is too long.

    The CLI trims the text of a failure, and cuts it after 10,000 characters (2.1.330).
    """
    texts = [block.text for block in result.content if isinstance(block, TextBlock)]
    if result.is_error or not len(texts) == len(result.content) > 0:
        return False
    return sum(len(text.encode()) for text in texts) <= MAX_RESULT_BYTES
