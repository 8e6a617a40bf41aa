"""What conversations open with again and again: a client's system prompt, tools and options."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Collection

import msgspec

from app.conversation import Conversation

# So many beginnings are looked back at.
WINDOW = 8
# An opening that a process waits with already is worth one more, so that two that come alike do not take turns.
LOYALTY = 1


class Openings:
    """Remembers, for `seconds`, the openings of the last conversations that began or were told from their beginning."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last: collections.deque[tuple[bytes, float]] = collections.deque(maxlen=WINDOW)
        self._told: dict[bytes, Conversation] = {}

    def note(self, conversation: Conversation, digest: bytes) -> None:
        """Take note of a beginning; the digest is that of the conversation before its first turn."""
        self._last.append((digest, self._clock()))
        self._told[digest] = msgspec.structs.replace(conversation, turns=())
        self._forget()

    def recurring(self, number: int, waiting: Collection[bytes] = ()) -> dict[bytes, Conversation]:
        """Return the openings, by their digests, that came more than once: at most so many, the most frequent ones.

        Those that processes are `waiting` with give way only to more frequent ones.
        """
        self._forget()
        counts = collections.Counter(digest for digest, _ in self._last)
        for digest in counts.keys() & set(waiting):
            counts[digest] += LOYALTY
        ranked = sorted(
            (digest for digest in counts if counts[digest] > 1), key=lambda digest: (-counts[digest], digest)
        )
        return {digest: self._told[digest] for digest in ranked[:number]}

    def _forget(self) -> None:
        while self._last and self._last[0][1] < self._clock() - self._seconds:
            self._last.popleft()
        for gone in self._told.keys() - {digest for digest, _ in self._last}:
            del self._told[gone]
