"""What becomes of a request is kept, before the client is told of its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.blocks import AnswerBlocks, as_message
from app.conversation import Message
from app.dialects.dialect import ResponseStore
from app.dialects.responses.stream import ResponseStream
from app.errors import ProxyError
from app.events import Event


class Keeping:
    """Keeps what becomes of one request: a response, and the messages it was asked with."""

    def __init__(self, responses: ResponseStore, system: str, messages: tuple[Message, ...]) -> None:
        self._responses = responses
        self._system = system
        self._messages = messages
        self._answer = AnswerBlocks(thinking=False)

    def heard(self, batches: Iterable[list[Event]]) -> Iterator[list[Event]]:
        """Pass batches on, taking note of what is said."""
        for batch in batches:
            self.hear(batch)
            yield batch

    def hear(self, batch: list[Event]) -> None:
        """Take note of what is said."""
        for event in batch:
            self._answer.feed(event)

    def keep(self, response: dict[str, Any]) -> None:
        """Keep the response. Raises SessionStorageFailed."""
        said = as_message(self._answer.blocks)
        messages = self._messages if said is None else (*self._messages, said)
        self._responses.keep(response, self._system, messages)


class KeptStream:
    """A stream whose response is kept before the client is told of its end."""

    def __init__(self, inner: ResponseStream, keeping: Keeping) -> None:
        self._inner = inner
        self._keeping = keeping
        self._kept = False

    def feed(self, batch: list[Event]) -> bytes:
        """Return what a batch adds. Raises SessionStorageFailed."""
        self._keeping.hear(batch)
        data = self._inner.feed(batch)
        if self._inner.output.is_over and not self._kept:
            self._kept = True
            self._keeping.keep(self._inner.output.response)
        return data

    def heartbeat(self) -> bytes:
        """Return a sign of life."""
        return self._inner.heartbeat()

    def error(self, error: ProxyError) -> bytes:
        """Return the error that ends the stream."""
        return self._inner.error(error)
