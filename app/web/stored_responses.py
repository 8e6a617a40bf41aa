"""Responses that are kept, each stored as a session that never grows.

A response goes on from exactly one other, and any number may go on from the same.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.conversation import Message
from app.dialects.dialect import StoredResponse
from app.sessions.store import MAX_ID_CHARACTERS, SessionName, SessionStore
from app.web.state import record, state


class _Head(msgspec.Struct):
    """What a session has besides its messages; it stands where a session has its system prompt."""

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
        session = self._store.load(SessionName(self._owner, response_id))
        if session is None:
            return None
        head = msgspec.json.decode(session.system, type=_Head)
        return StoredResponse(head.response, head.system, session.messages)

    def keep(self, response: dict[str, Any], system: str, messages: tuple[Message, ...]) -> None:
        """Keep a response with the conversation up to its end."""
        head = msgspec.json.encode(_Head(response, system)).decode()
        self._store.save(SessionName(self._owner, response["id"]), None, head, messages)

    def delete(self, response_id: str) -> bool:
        """Forget a response; return whether there was one."""
        return len(response_id) <= MAX_ID_CHARACTERS and self._store.delete(SessionName(self._owner, response_id))
