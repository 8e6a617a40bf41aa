"""What a store of sessions offers; `sqlite` is the first, others may share sessions between machines."""

from __future__ import annotations

from typing import Protocol

import msgspec

from app.conversation import Turn

MAX_ID_CHARACTERS = 200


class Key(msgspec.Struct, frozen=True):
    """Names a session: the client's own id, within what belongs to one API key (the owner, empty without keys)."""

    owner: str
    id: str


class Session(msgspec.Struct, frozen=True):
    """A transcript; `revision` changes with every turn that enters it, times are in unix seconds."""

    key: Key
    system: str
    turns: tuple[Turn, ...]
    revision: str
    created: float
    used: float


class Summary(msgspec.Struct, frozen=True):
    """A session without its transcript; times are in unix seconds."""

    id: str
    turns: int
    created: float
    used: float
    expires: float


class SessionStore(Protocol):
    """Transcripts by key, and a queue before each of them. All methods raise SessionStorageFailed."""

    def join(self, key: Key) -> int:
        """Queue up for a session's next turn; return a ticket."""

    def is_first(self, ticket: int) -> bool:
        """Tell whether it is this ticket's turn. Tickets of workers that died do not count."""

    def leave(self, ticket: int) -> None:
        """Give the place to the next; idempotent."""

    def load(self, key: Key) -> Session | None:
        """Return a session that has not expired, and note that it was used."""

    def save(self, key: Key, before: Session | None, system: str, turns: tuple[Turn, ...]) -> bool:
        """Replace what was loaded `before` by `turns`; what they have in common with others is stored once.

        Return False, and change nothing, where the session was deleted or changed meanwhile.
        """

    def delete(self, key: Key) -> bool:
        """Forget a session; return whether there was one."""

    def summaries(self, owner: str) -> list[Summary]:
        """Return an owner's sessions, the last used first."""

    def close(self) -> None:
        """Let go of files and connections; idempotent."""
