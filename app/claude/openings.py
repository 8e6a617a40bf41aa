"""What conversations open with again and again: a client's system prompt, tools and options."""

from __future__ import annotations

import collections
from collections.abc import Collection

import msgspec

from app.conversation import Conversation

# So many beginnings are looked back at.
WINDOW = 8
# An opening that a process waits with already is worth one more, so that two that come alike do not take turns.
LOYALTY = 1


class Openings:
    """Remembers the openings of the last conversations that began, or were told from their beginning."""

    def __init__(self) -> None:
        self._last: collections.deque[bytes] = collections.deque(maxlen=WINDOW)
        self._told: dict[bytes, Conversation] = {}

    def note(self, conversation: Conversation, digest: bytes) -> None:
        """Take note of a beginning; the digest is that of the conversation before its first turn."""
        self._last.append(digest)
        self._told[digest] = msgspec.structs.replace(conversation, turns=())
        for gone in self._told.keys() - set(self._last):
            del self._told[gone]

    def forget(self, digest: bytes) -> None:
        """Count an opening no longer that has not been wanted for a while."""
        self._told.pop(digest, None)
        self._last = collections.deque((one for one in self._last if one != digest), WINDOW)

    def recurring(self, number: int, waiting: Collection[bytes] = ()) -> dict[bytes, Conversation]:
        """Return the openings, by their digests, that came more than once: at most so many, the most frequent ones.

        Those that processes are `waiting` with give way only to more frequent ones.
        """
        counts = collections.Counter(self._last)
        for digest in counts.keys() & set(waiting):
            counts[digest] += LOYALTY
        ranked = sorted(
            (digest for digest in counts if counts[digest] > 1), key=lambda digest: (-counts[digest], digest)
        )
        return {digest: self._told[digest] for digest in ranked[:number]}
