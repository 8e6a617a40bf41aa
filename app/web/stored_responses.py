"""Responses that are kept, each as a session of its own that nothing is ever added to.

A response goes on from exactly one other, and any number may go on from the same.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.conversation import Turn
from app.dialects.stored_response import StoredResponse
from app.sessions.store import MAX_ID_CHARACTERS, Key, SessionStore
from app.web.state import record, state


class _Head(msgspec.Struct):
    """What a session has besides its turns; it stands where a session has its system prompt."""

    response: dict[str, Any]
    system: str


def stored_responses() -> StoredResponses:
    """Return those of the caller of the current request."""
    return StoredResponses(state().sessions, record().caller.owner)


class StoredResponses:
    """The responses of one owner, the name of an API key, empty without keys. All raise SessionStorageFailed."""

    def __init__(self, store: SessionStore, owner: str) -> None:
        self._store = store
        # No key has a slash in its name, so that these are nobody's sessions.
        self._owner = f"{owner}/responses"

    def find(self, response_id: str) -> StoredResponse | None:
        """Return a response that has not expired."""
        if len(response_id) > MAX_ID_CHARACTERS:
            return None
        session = self._store.load(Key(self._owner, response_id))
        if session is None:
            return None
        head = msgspec.json.decode(session.system, type=_Head)
        return StoredResponse(head.response, head.system, session.turns)

    def keep(self, response: dict[str, Any], system: str, turns: tuple[Turn, ...]) -> None:
        """Keep a response with the conversation up to its end."""
        head = msgspec.json.encode(_Head(response, system)).decode()
        self._store.save(Key(self._owner, response["id"]), None, head, turns)

    def delete(self, response_id: str) -> bool:
        """Forget a response; return whether there was one."""
        return len(response_id) <= MAX_ID_CHARACTERS and self._store.delete(Key(self._owner, response_id))
