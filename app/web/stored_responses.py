"""Responses that are kept, each as a session of its own that nothing is ever added to.

A response goes on from exactly one other, and any number may go on from the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from app.conversation import Turn
from app.dialects.responses.stored import StoredResponse
from app.dialects.responses.stream import ResponseStream
from app.errors import ProxyError
from app.events import Event
from app.sessions.store import MOST_CHARACTERS, Key, SessionStore
from app.transcript import Transcript


class _Head(msgspec.Struct):
    """What a session has besides its turns; it stands where a session has its system prompt."""

    response: dict[str, Any]
    system: str


class StoredResponses:
    """The responses of one owner, the name of an API key, empty without keys. All raise SessionStorageFailed."""

    def __init__(self, store: SessionStore, owner: str) -> None:
        self._store = store
        # No key has a slash in its name, so that these are nobody's sessions.
        self._owner = f"{owner}/responses"

    def find(self, response_id: str) -> StoredResponse | None:
        """Return a response that has not expired."""
        if len(response_id) > MOST_CHARACTERS:
            return None
        session = self._store.load(Key(self._owner, response_id))
        if session is None:
            return None
        head = msgspec.json.decode(session.system, type=_Head)
        return StoredResponse(head.response, head.system, session.turns)

    def keep(self, response: dict[str, Any], system: str, turns: tuple[Turn, ...]) -> None:
        """Keep a response with the conversation up to its end."""
        head = msgspec.json.encode(_Head(response, system)).decode()
        self._store.save(Key(self._owner, response["id"]), None, head, turns, 0)

    def delete(self, response_id: str) -> bool:
        """Forget a response; return whether there was one."""
        return len(response_id) <= MOST_CHARACTERS and self._store.delete(Key(self._owner, response_id))


class Keeping:
    """Keeps what becomes of one request: a response, and the turns it was asked with."""

    def __init__(self, responses: StoredResponses, system: str, turns: tuple[Turn, ...]) -> None:
        self._responses = responses
        self._system = system
        self._turns = turns
        self._transcript = Transcript()

    def heard(self, batches: Iterable[list[Event]]) -> Iterator[list[Event]]:
        """Pass batches on, taking note of what is said."""
        for batch in batches:
            self.hear(batch)
            yield batch

    def hear(self, batch: list[Event]) -> None:
        """Take note of what is said."""
        for event in batch:
            self._transcript.feed(event)

    def keep(self, response: dict[str, Any]) -> None:
        """Keep the response. Raises SessionStorageFailed."""
        said = self._transcript.turn()
        turns = self._turns if said is None else (*self._turns, said)
        self._responses.keep(response, self._system, turns)


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
