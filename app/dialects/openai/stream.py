"""A running turn, or several, becomes chunks: from batches of events to the bytes of server-sent events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from app.dialects.openai.errors import envelope
from app.dialects.openai.objects import Identity, usage_object
from app.errors import ProxyError
from app.events import Event, TurnEnd, TurnStart, Usage, placed

DONE = b"data: [DONE]\n\n"


class Choice(Protocol):
    """Writes the chunks of one choice."""

    def begin(self) -> bytes:
        """Return what comes before anything is known, b"" for nothing."""

    def empty(self) -> bytes:
        """Return a chunk that says nothing."""

    def write(self, event: Event) -> bytes:
        """Return what an event adds. Raises AnswerCut when something that was sent turns out not to count."""

    def finish(self, end: TurnEnd, tail: bytes) -> bytes:
        """Return the last chunk, ending in `tail`."""


# Makes the choice of an index from the beginning of every chunk, up to the choices, and from its end.
MakeChoice = Callable[[bytes, bytes, int], Choice]


class ChunkStream:
    """Writes the chunks of one answer of `n` choices.

    `kind` is the `object` of a chunk; `requested_model` names the model until a turn tells which one answers.
    """

    def __init__(
        self, identity: Identity, kind: str, requested_model: str, make: MakeChoice, *, include_usage: bool, n: int
    ) -> None:
        self._identity = identity
        self._kind = kind
        self._requested_model = requested_model
        self._make = make
        self._include_usage = include_usage
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._head = b""
        self._choices: list[Choice] = []
        self._n = n
        self._open = set(range(n))
        self._usage = Usage()

    def feed(self, batch: list[Event]) -> bytes:
        """Return what a batch adds to the stream, b"" for nothing.

        Raises AnswerCut when text that has been sent turns out not to count.
        """
        out: list[bytes] = []
        for place, event in placed(batch):
            if isinstance(event, TurnStart):
                out.append(self._begin(event.model))
            elif isinstance(event, TurnEnd):
                out.append(self._finish(place, event))
            elif self._choices:
                out.append(self._choices[place].write(event))
        return b"".join(out)

    def heartbeat(self) -> bytes:
        """Return a chunk that says nothing; every client counts it as a sign of life, which comments are not."""
        # After its last chunk a choice must have no other.
        return self._begin(self._requested_model) or self._choices[min(self._open, default=0)].empty()

    def error(self, error: ProxyError) -> bytes:
        """Return an error inside the stream; no end mark follows, so that nobody takes the answer for whole."""
        return b"data: " + msgspec.json.encode(envelope(error)) + b"\n\n"

    def _begin(self, model: str) -> bytes:
        if self._choices:
            return b""
        who = {"id": self._identity.id, "object": self._kind, "created": self._identity.created, "model": model}
        self._head = b"data: " + msgspec.json.encode(who)[:-1]
        self._choices = [self._make(self._head, self._tail, index) for index in range(self._n)]
        return b"".join(choice.begin() for choice in self._choices)

    def _finish(self, place: int, end: TurnEnd) -> bytes:
        self._usage = self._usage + end.usage
        self._open.discard(place)
        choice = self._choices[place]
        if self._open:
            return choice.finish(end, self._tail)
        counts = b',"usage":' + msgspec.json.encode(usage_object(self._usage)) + b"}\n\n"
        if self._include_usage:
            return choice.finish(end, self._tail) + self._head + b',"choices":[]' + counts + DONE
        # Unasked, the counts ride on the last chunk: a chunk without choices breaks clients that do not expect it.
        return choice.finish(end, counts) + DONE
