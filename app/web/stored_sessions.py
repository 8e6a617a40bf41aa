"""A turn of a session: one at a time, with what was said before, and remembered when it has succeeded."""

from __future__ import annotations

import contextlib
import logging
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator

import flask

from app.blocks import AnswerBlocks, as_message
from app.conversation import Conversation, Message
from app.errors import BadRequest, SessionBusy
from app.events import Event, TurnEnd
from app.sessions.history import continued
from app.sessions.store import MAX_ID_CHARACTERS, Session, SessionName, SessionStore
from app.web.state import record

log = logging.getLogger(__name__)

HEADER = "X-Session-Id"
# How often a waiting request looks whether it is first, in seconds; less often the longer it waits.
PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.02, 0.25
RETRY_AFTER_SECONDS = 5


def name_of(session_id: str | None) -> SessionName | None:
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
    return SessionName(record().caller.owner, name)


def shown(name: SessionName) -> str:
    """Return a session's id as a header can hold it."""
    return name.id if name.id.isascii() and name.id.isprintable() else urllib.parse.quote(name.id)


class Place:
    """A place in the queue before a session. Call `close` when done."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._ticket: int | None = None

    def wait(self, name: SessionName, idle_seconds: float) -> Iterator[None]:
        """Yield None while the turns before are answered, at most `idle_seconds`.

        Raises SessionBusy, and what the store raises.
        """
        self._ticket = self._store.join(name)
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

    def close(self) -> None:
        """Let the next request have its turn; idempotent."""
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            # The answer is given; a place that cannot be given back now is given back with the next look.
            with contextlib.suppress(Exception):
                self._store.leave(ticket)


class SessionTurn:
    """The next turn of a session. Iterate `begin` first, and call `close` when done."""

    def __init__(self, store: SessionStore, name: SessionName) -> None:
        self.name = name
        self._store = store
        self._place = Place(store)
        self._before: Session | None = None
        self._conversation: Conversation | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What the answer's headers tell of it."""
        return {HEADER: shown(self.name)}

    def begin(
        self, conversation: Conversation, as_asked: Callable[[Conversation], Conversation], idle_seconds: float
    ) -> Iterator[Conversation | None]:
        """Yield None while the turns before are answered, at most `idle_seconds`; then the whole conversation.

        Raises SessionBusy, and what the store or the history raise.
        """
        yield from self._place.wait(self.name, idle_seconds)
        self._before = self._store.load(self.name)
        self._conversation = continued(self._before, conversation)
        yield as_asked(self._conversation)

    def remembered(self, batches: Iterable[list[Event]]) -> Iterator[list[Event]]:
        """Pass the batches of the turn on; its end only when the session has it.

        Raises SessionBusy or SessionStorageFailed, and then the session does not have it.
        """
        answer = AnswerBlocks(thinking=False)
        for batch in batches:
            for event in batch:
                answer.feed(event)
            end = next((place for place, event in enumerate(batch) if isinstance(event, TurnEnd)), None)
            if end is None:
                yield batch
                continue
            if end:  # the words before the end do not wait for the store
                yield batch[:end]
            self._remember(as_message(answer.blocks))
            yield batch[end:]

    def close(self) -> None:
        """Let the next request have its turn; idempotent."""
        self._place.close()

    def _remember(self, said: Message | None) -> None:
        conversation = self._conversation
        if said is not None and conversation is not None:
            messages = (*conversation.messages, said)
            if not self._store.save(self.name, self._before, conversation.system, messages):
                log.warning("session was deleted during its turn, which is forgotten with it")
        self.close()
