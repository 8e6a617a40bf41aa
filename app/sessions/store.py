"""What a store of sessions offers; `sqlite` is the first, others may share sessions between machines."""

from __future__ import annotations

from typing import Protocol

import msgspec

from app.conversation import Message

MAX_ID_CHARACTERS = 200


class SessionName(msgspec.Struct, frozen=True):
    """Names a session: the client's own id, within what belongs to one API key (the owner, empty without keys)."""

    owner: str
    id: str


class Session(msgspec.Struct, frozen=True):
    """A transcript; `revision` changes with every message that enters it, times are in unix seconds."""

    name: SessionName
    system: str
    messages: tuple[Message, ...]
    revision: str
    created: float
    used: float


class Summary(msgspec.Struct, frozen=True):
    """A session without its transcript; times are in unix seconds."""

    id: str
    messages: int
    created: float
    used: float
    expires: float


class SessionStore(Protocol):
    """Transcripts by name, and a queue before each of them. All methods raise SessionStorageFailed."""

    def join(self, name: SessionName) -> int:
        """Queue up for a session's next turn; return a ticket."""

    def is_first(self, ticket: int) -> bool:
        """Tell whether it is this ticket's turn. Tickets of workers that died do not count."""

    def leave(self, ticket: int) -> None:
        """Give the place to the next; idempotent."""

    def load(self, name: SessionName) -> Session | None:
        """Return a session that has not expired, and note that it was used."""

    def save(self, name: SessionName, before: Session | None, system: str, messages: tuple[Message, ...]) -> bool:
        """Replace what was loaded `before` by `messages`; what they have in common with others is stored once.

        Return False, and change nothing, where it was deleted meanwhile. Raises SessionBusy where others changed it.
        """

    def delete(self, name: SessionName) -> bool:
        """Forget a session; return whether there was one."""

    def summaries(self, owner: str) -> list[Summary]:
        """Return an owner's sessions, the last used first."""

    def close(self) -> None:
        """Let go of files and connections; idempotent."""
