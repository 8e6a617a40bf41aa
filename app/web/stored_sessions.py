"""A turn of a session: one at a time, with what was said before, and remembered when it has succeeded."""

from __future__ import annotations

import contextlib
import logging
import time
import urllib.parse
from collections.abc import Iterable, Iterator

import flask

from app.conversation import Conversation
from app.errors import BadRequest, SessionBusy
from app.events import Event, TurnEnd
from app.sessions.history import continued
from app.sessions.store import MAX_ID_CHARACTERS, Key, Session, SessionStore
from app.transcript import Transcript
from app.web.state import record

log = logging.getLogger(__name__)

HEADER = "X-Session-Id"
# How often a waiting request looks whether it is first, in seconds; less often the longer it waits.
PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.02, 0.25
RETRY_AFTER_SECONDS = 5


def key_of(session_id: str | None) -> Key | None:
    """Return the session the current request names, in its header or with the `session_id` of its body, if any.

    Raises BadRequest where they differ or are no name.
    """
    # WSGI hands over bytes as Latin-1.
    given = flask.request.headers.get(HEADER, "").encode("latin-1").decode("utf-8", "replace").strip() or None
    if given is not None and session_id is not None and given != session_id:
        raise BadRequest(f"session_id and the header {HEADER} name two sessions", param="session_id")
    name = session_id if given is None else given
    if name is None:
        return None
    if not 0 < len(name) <= MAX_ID_CHARACTERS:
        raise BadRequest(
            f"a session's id has 1 to {MAX_ID_CHARACTERS} characters", param="session_id", code="invalid_value"
        )
    return Key(record().caller.owner, name)


def shown(key: Key) -> str:
    """Return a session's id as a header can hold it."""
    return key.id if key.id.isascii() and key.id.isprintable() else urllib.parse.quote(key.id)


class SessionTurn:
    """The next turn of a session. Iterate `begin` first, and call `close` when done."""

    def __init__(self, store: SessionStore, key: Key) -> None:
        self.key = key
        self._store = store
        self._ticket: int | None = None
        self._before: Session | None = None
        self._conversation: Conversation | None = None

    def begin(self, conversation: Conversation, idle_seconds: float) -> Iterator[Conversation | None]:
        """Yield None while the turns before are answered, at most `idle_seconds`; then the whole conversation.

        Raises SessionBusy, and what the store or the history raise.
        """
        self._ticket = self._store.join(self.key)
        deadline = time.monotonic() + idle_seconds
        pause = PAUSE_SECONDS
        while not self._store.is_first(self._ticket):
            if time.monotonic() >= deadline:
                raise SessionBusy(
                    "Another request of this session is still being answered.", retry_after=RETRY_AFTER_SECONDS
                )
            yield None
            time.sleep(pause)
            pause = min(MAX_PAUSE_SECONDS, 1.5 * pause)
        self._before = self._store.load(self.key)
        self._conversation = continued(self._before, conversation)
        yield self._conversation

    def remembered(self, batches: Iterable[list[Event]]) -> Iterator[list[Event]]:
        """Pass the batches of the turn on; its end only when the session has it. Raises SessionStorageFailed."""
        transcript = Transcript()
        for batch in batches:
            for event in batch:
                transcript.feed(event)
            if any(isinstance(event, TurnEnd) for event in batch):
                self._remember(transcript)
            yield batch

    def close(self) -> None:
        """Let the next request have its turn; idempotent."""
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            # The answer is given; a place that cannot be given back now is free when this worker ends.
            with contextlib.suppress(Exception):
                self._store.leave(ticket)

    def _remember(self, transcript: Transcript) -> None:
        said, conversation = transcript.turn(), self._conversation
        if said is not None and conversation is not None:
            turns = (*conversation.turns, said)
            if not self._store.save(self.key, self._before, conversation.system, turns):
                log.warning("session was deleted during its turn, which is forgotten with it")
        self.close()
