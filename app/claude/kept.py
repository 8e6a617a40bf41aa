"""Processes that stay after their turn, for the exact continuation of its conversation.

An idle one waits for the next question, a parked one for the results of the tools it called. Replay in another
process is always right: whatever is kept here may be given up at any time.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Sequence

import psutil

from app.claude.binary import Binary
from app.claude.process import Process
from app.claude.registry import Registry
from app.claude.tool_ids import plain
from app.claude.tools import LONGEST_OUTPUT, ToolServer
from app.conversation import (
    Conversation,
    TextBlock,
    ToolResultBlock,
    Turn,
)
from app.models import CliModel

log = logging.getLogger(__name__)

# How often the kept processes are looked at, in seconds.
INSPECTION = 5.0
# With less memory available than this, in bytes, nothing is kept: a process takes about 240 MB.
SCARCE = 512 * 2**20
# A longer result, in bytes, might not reach the model whole: beyond the characters of JSON that claude.tools declares
# the CLI writes it to a file and shows its beginning, and JSON takes up to six for one.
LONGEST_RESULT = LONGEST_OUTPUT // 6


@dataclasses.dataclass(eq=False)
class Kept:
    """A process with a conversation in it, or, of 0 turns, with nothing but what such a conversation opens with.

    `digest` tells which, `calls` are the plain ids of the calls it waits for, `models` is what it told of the login's
    models, `affinity` is its client's hint, and `until` is in monotonic seconds.
    """

    process: Process
    binary: Binary
    tools: ToolServer
    digest: bytes
    turns: int
    calls: frozenset[str] = frozenset()
    models: tuple[CliModel, ...] = ()
    affinity: str = ""
    until: float = 0.0

    @property
    def primed(self) -> bool:
        """Whether nothing of a conversation is in it but the opening."""
        return not self.turns

    def continues(self, turns: Sequence[Turn]) -> bool:
        """Tell whether the process can take up these turns, the first after those it has."""
        if not self.calls:
            return True
        # With results comes nothing else, since the CLI asks the API at once; and what it would change is replayed.
        return (
            len(turns) == 1
            and all(isinstance(block, ToolResultBlock) and _goes_unchanged(block) for block in turns[0].content)
            and sorted(plain(block.tool_use_id) for block in turns[0].content if isinstance(block, ToolResultBlock))
            == sorted(self.calls)
        )


class KeptProcesses:
    """At most `limit` processes, each for `seconds`, the least recently used given up first. Thread-safe.

    Before that go those whose client, by its own hint, has gone on without them.
    """

    def __init__(self, limit: int, seconds: float, registry: Registry) -> None:
        self.limit = limit
        self._seconds = seconds
        self._registry = registry
        self._lock = threading.Lock()
        self._kept: list[Kept] = []  # the least recently used first
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def idle(self) -> int:
        """How many wait for a question."""
        return sum(not kept.calls for kept in list(self._kept))

    @property
    def parked(self) -> int:
        """How many wait for the results of tools."""
        return sum(bool(kept.calls) for kept in list(self._kept))

    def put(self, kept: Kept) -> None:
        """Keep a process, or end it where that is not to be."""
        kept.until = time.monotonic() + self._seconds
        with self._lock:
            self._kept.append(kept)
        self.shrink(0 if self._closed or memory_is_scarce() else self.limit)
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._inspect, name="kept", daemon=True)
            self._thread.start()
        self._wake.set()

    def take(self, conversation: Conversation, digests: Sequence[bytes], binary: Binary) -> Kept | None:
        """Return a living process that holds the longest part of this conversation, for good, or None.

        `digests` are the conversation's lineage. A process that the conversation has passed by is given up, and so are
        all that run another executable.
        """
        self._drop([kept for kept in list(self._kept) if kept.binary != binary])
        for length in range(len(conversation.turns) - 1, 0, -1):
            while (kept := self._pop(digests[length])) is not None:
                fresh = kept.process.alive and kept.until > time.monotonic()
                if fresh and kept.continues(conversation.turns[length:]):
                    return kept
                self._end(kept)
        return None

    def shrink(self, number: int) -> None:
        """Give up the least recently used until at most `number` are left."""
        surplus = []
        with self._lock:
            while len(self._kept) > max(0, number):
                surplus.append(self._kept.pop(_least_wanted(self._kept)))
        for kept in surplus:
            self._end(kept)

    def close(self) -> None:
        """Keep nothing any longer; idempotent."""
        self._closed = True
        self.shrink(0)
        self._wake.set()

    def _pop(self, digest: bytes) -> Kept | None:
        with self._lock:
            for kept in reversed(self._kept):
                if kept.digest == digest:
                    self._kept.remove(kept)
                    return kept
        return None

    def _inspect(self) -> None:
        while not self._closed:
            self._wake.wait(INSPECTION if self._kept else None)
            self._wake.clear()
            now = time.monotonic()
            self._drop([kept for kept in list(self._kept) if now >= kept.until or not kept.process.alive])
            if self._kept and memory_is_scarce():
                log.warning("memory is scarce; gave up kept processes n=%d", len(self._kept))
                self.shrink(0)

    def _drop(self, unwanted: Sequence[Kept]) -> None:
        with self._lock:
            # A request may have been faster.
            dropped = [kept for kept in unwanted if kept in self._kept]
            for kept in dropped:
                self._kept.remove(kept)
        for kept in dropped:
            self._end(kept)

    def _end(self, kept: Kept) -> None:
        if kept.calls:
            # At the end of its input it would take the calls for failed, and ask the API once more.
            kept.process.kill()
        self._registry.dispose(kept.process, at_once=bool(kept.calls))


def _least_wanted(kept: Sequence[Kept]) -> int:
    """Return the place of the oldest that has a newer one of the same affinity, else of the oldest."""
    newer: set[str] = set()
    left_behind = 0
    for place in range(len(kept) - 1, -1, -1):
        if kept[place].affinity in newer:
            left_behind = place
        if kept[place].affinity:
            newer.add(kept[place].affinity)
    return left_behind


def _goes_unchanged(result: ToolResultBlock) -> bool:
    """Tell whether the CLI hands a result to the model as it is: no empty one, no picture, none that is too long.

    A failure it would trim, and shorten beyond 10,000 characters (2.1.330).
    """
    texts = [block.text for block in result.content if isinstance(block, TextBlock)]
    if result.is_error or not len(texts) == len(result.content) > 0:
        return False
    return sum(len(text.encode()) for text in texts) <= LONGEST_RESULT


def memory_is_scarce() -> bool:
    """Tell whether the machine has better uses for its memory than processes that wait."""
    return psutil.virtual_memory().available < SCARCE
