"""Sessions in tables, whatever the database: what `sqlite` and `postgres` have in common.

All that an owner's sessions say is one tree of messages. Whoever changes it has it alone until the transaction's end.
"""

from __future__ import annotations

import abc
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from app.conversation import Message
from app.errors import SessionBusy
from app.sessions.store import Session, SessionName, Summary

log = logging.getLogger(__name__)

THIS = "owner = ? AND id = ?"
T = TypeVar("T")
# What one owner may have kept, and all together, in bytes; beyond it the sessions and responses used longest ago go.
MAX_OWNER_BYTES = 256 * 2**20
MAX_BYTES = 2**30
# How many go at a time, and for how long (seconds), so that a write does not last; the next write goes on.
MAX_EVICTED = 200
MAX_PURGED = 5
CLEAR_SECONDS = 0.5
# How often expired sessions are cleared away, and how soon that is tried again where it has failed, in seconds; they
# are not served meanwhile.
PURGE_SECONDS = 60.0


class Transaction(Protocol):
    """What sqlite's connection and our own for PostgreSQL can both do; a query's marks are `?`."""

    def execute(self, query: str, given: Sequence[Any] = (), /) -> Any:
        """Run one query; return its rows, as both have them."""


class SqlStore(abc.ABC):
    """A SessionStore with each session for `seconds` after its last use. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._purged = 0.0
        self._failed = float("-inf")  # when nothing could be cleared away, on the monotonic clock
        self._dropped = False  # something is gone whose bytes are still on the disk
        self._owed: set[int] = set()  # tickets that could not be given back yet
        self._files = 1  # how many files of sessions there were: a new one gives the same numbers to others

    @abc.abstractmethod
    def _do(self, work: Callable[[Any], T]) -> T:
        """Return what `work` does in one transaction. Raises SessionStorageFailed."""

    @abc.abstractmethod
    def _begin(self, db: Transaction, owner: str) -> float:
        """Have an owner's tree to oneself until the transaction's end; return the database's time (unix seconds)."""

    @abc.abstractmethod
    def _take_too(self, db: Transaction, owner: str) -> bool:
        """Have another owner's tree to oneself as well; return False, at once, where somebody else has it."""

    @abc.abstractmethod
    def _give_back(self, ticket: int) -> None:
        """Take a ticket out of the queue, if it is there."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of files and connections; idempotent."""

    def leave(self, ticket: int) -> None:
        """Give the place to the next; idempotent. What fails is tried again with the next look of anybody."""
        self._owed.discard(ticket)  # while one tries no other does: a slow store would get slower
        files = self._files
        try:
            self._give_back(ticket)
        except BaseException:
            if files == self._files:
                self._owed.add(ticket)
            raise

    def _leave_owed(self) -> None:
        """Give back what could not be: nobody else would, as long as this server lives."""
        for ticket in tuple(self._owed):
            self.leave(ticket)

    def _wipe(self) -> None:  # noqa: B027 - some databases do it by themselves
        """Take what was dropped off the disk."""

    def _text(self, text: str) -> Any:
        """Return an id or a system prompt as the tables hold it."""
        return text

    def _told(self, held: Any) -> str:
        """Return what `_text` was given."""
        return str(held)

    def load(self, name: SessionName) -> Session | None:
        """Return a session that has not expired, and note that it was used."""
        this = (name.owner, self._text(name.id))

        def read(db: Transaction) -> Session | None:
            now = self._begin(db, name.owner)
            session = self._read(db, name)
            if session is None or session.used < now - self._seconds:
                return None
            db.execute(f"UPDATE sessions SET used = ? WHERE {THIS}", (now, *this))
            return msgspec.structs.replace(session, used=now)

        return self._cleanly(read)

    def save(self, name: SessionName, before: Session | None, system: str, messages: tuple[Message, ...]) -> bool:
        """Replace what was loaded `before` by `messages`; what they have in common with others is stored once.

        Return False, and change nothing, where it was deleted meanwhile. Raises SessionBusy where others changed it.
        """
        this = (name.owner, self._text(name.id))

        def write(db: Transaction) -> bool:
            now = self._begin(db, name.owner)
            row = db.execute(f"SELECT revision, used FROM sessions WHERE {THIS}", this).fetchone()
            there = row is not None and row[1] >= now - self._seconds
            if before is not None and not there:
                return False
            if there and (before is None or row[0] != before.revision):
                raise SessionBusy("Another request has changed this session meanwhile; this turn has not entered it.")
            self._add(db, (*this, self._text(system)), messages, now if before is None else before.created, now)
            # Here, and not in `load`: nobody waits for a first token any longer.
            self._clear(db, now, this)
            return True

        return self._cleanly(write)

    def delete(self, name: SessionName) -> bool:
        """Forget a session; return whether there was one that had not expired."""
        this = (name.owner, self._text(name.id))

        def remove(db: Transaction) -> bool:
            now = self._begin(db, name.owner)
            row = db.execute(f"SELECT used FROM sessions WHERE {THIS}", this).fetchone()
            self._dropped |= self._drop(db, this)
            return row is not None and row[0] >= now - self._seconds

        return self._cleanly(remove)

    def summaries(self, owner: str) -> list[Summary]:
        """Return an owner's sessions, the last used first."""

        def read(db: Transaction) -> list[Summary]:
            now = self._begin(db, owner)
            self._clear(db, now)
            query = "SELECT id, turns, created, used FROM sessions WHERE owner = ? AND used >= ? ORDER BY used DESC"
            rows = db.execute(query, (owner, now - self._seconds))
            return [
                Summary(self._told(name), turns, created, used, used + self._seconds)
                for name, turns, created, used in rows
            ]

        return self._cleanly(read)

    def names(self) -> list[SessionName]:
        """Return the names of all sessions that have not expired, those used longest ago first."""

        def read(db: Transaction) -> list[SessionName]:
            now = self._begin(db, "")
            rows = db.execute("SELECT owner, id FROM sessions WHERE used >= ? ORDER BY used", (now - self._seconds,))
            return [SessionName(owner, self._told(held)) for owner, held in rows]

        return self._do(read)

    def look(self, name: SessionName) -> Session | None:
        """Return a session, which does not count as its use."""

        def read(db: Transaction) -> Session | None:
            self._begin(db, name.owner)
            return self._read(db, name)

        return self._do(read)

    def take_over(self, session: Session) -> bool:
        """Add a session of another store with its times; return False where there is one of its name."""
        this, system = (session.name.owner, self._text(session.name.id)), self._text(session.system)

        def write(db: Transaction) -> bool:
            self._begin(db, session.name.owner)
            if db.execute(f"SELECT 1 FROM sessions WHERE {THIS}", this).fetchone() is not None:
                return False
            self._add(db, (*this, system), session.messages, session.created, session.used)
            return True

        return self._do(write)

    def _read(self, db: Transaction, name: SessionName) -> Session | None:
        query = f"SELECT system, head, revision, created, used FROM sessions WHERE {THIS}"
        row = db.execute(query, (name.owner, self._text(name.id))).fetchone()
        if row is None:
            return None
        messages = tuple(msgspec.json.decode(said, type=Message) for (said,) in db.execute(CHAIN, (row[1],)))
        return Session(name, self._told(row[0]), messages[::-1], *row[2:])

    def _cleanly(self, work: Callable[[Transaction], T]) -> T:
        """Return what `work` does in one transaction; what it has dropped is gone from the disk afterwards."""
        done = self._do(work)
        if self._dropped:
            self._dropped = False
            self._wipe()
        return done

    def _add(
        self, db: Transaction, this: tuple[str, Any, Any], messages: tuple[Message, ...], created: float, used: float
    ) -> None:
        """Put a session of an owner, with its id and its system prompt, in the place of the one of its name."""
        owner, name, system = this
        head = _grown(db, owner, messages)
        self._drop(db, (owner, name))
        values = (owner, name, system, head, len(messages), secrets.token_hex(8), created, used)
        db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        _count(db, owner, _size(system))

    def _drop(self, db: Transaction, this: tuple[str, Any]) -> bool:
        """Forget a session and those of its messages that nothing else uses; return whether there was one."""
        row = db.execute(f"DELETE FROM sessions WHERE {THIS} RETURNING head, system", tuple(this)).fetchone()
        if row is None:
            return False
        node, freed = row[0], _size(row[1])
        while node is not None:
            db.execute("UPDATE nodes SET uses = uses - 1 WHERE node = ?", (node,))
            gone = db.execute(
                "DELETE FROM nodes WHERE node = ? AND uses = 0 RETURNING parent, length(turn)", (node,)
            ).fetchone()
            if gone is None:
                break
            node, freed = gone[0], freed + gone[1]
        _count(db, this[0], -freed)
        return True

    def _clear(self, db: Transaction, now: float, grown: tuple[str, Any] | None = None) -> None:
        """Drop what has expired, and what is too much where a session has `grown`.

        Where that fails, all else of the transaction stands.
        """
        if time.monotonic() - self._failed < PURGE_SECONDS:
            return
        db.execute("SAVEPOINT clearing")
        try:
            if grown is not None:
                self._make_room(db, grown)
            self._purge(db, now)
        except Exception as error:  # noqa: BLE001 - each database has errors of its own
            db.execute("ROLLBACK TO SAVEPOINT clearing")  # fails where the transaction is lost, and with it all
            self._failed = time.monotonic()
            log.warning("old sessions could not be cleared away error=%s", error)
        db.execute("RELEASE SAVEPOINT clearing")

    def _purge(self, db: Transaction, now: float) -> None:
        """Drop some of what has expired; the next one goes on where there is more."""
        if now - self._purged >= PURGE_SECONDS or now < self._purged:
            query = "SELECT owner, id FROM sessions WHERE used < ? ORDER BY used LIMIT ?"
            expired = db.execute(query, (now - self._seconds, MAX_PURGED)).fetchall()
            dropped = sum(1 for _ in self._dropping(db, expired))
            if dropped == len(expired) < MAX_PURGED:
                self._purged = now

    def _make_room(self, db: Transaction, keep: tuple[str, Any]) -> None:
        """Drop what was used longest ago, but for the session `keep`, where the owner or all have too much."""
        others = "NOT (owner = ? AND id = ?) ORDER BY used LIMIT ?"
        for limit, whose, given in ((MAX_OWNER_BYTES, "owner = ?", keep[:1]), (MAX_BYTES, "TRUE", ())):
            room = f"SELECT coalesce(sum(bytes), 0) <= ? FROM owners WHERE {whose}"
            if db.execute(room, (limit, *given)).fetchone()[0]:
                continue
            oldest = f"SELECT owner, id FROM sessions WHERE {whose} AND {others}"
            for _ in self._dropping(db, db.execute(oldest, (*given, *keep, MAX_EVICTED)).fetchall()):
                if db.execute(room, (limit, *given)).fetchone()[0]:
                    break

    def _dropping(self, db: Transaction, rows: Iterable[tuple[str, Any]]) -> Iterator[None]:
        """Drop one session after the other, as long as there is time for it."""
        deadline = time.monotonic() + CLEAR_SECONDS
        for row in rows:
            self._dropped |= self._take_too(db, row[0]) and self._drop(db, row)
            yield
            if time.monotonic() > deadline:
                return


# The messages of a chain, the last first.
CHAIN = """
WITH RECURSIVE chain (depth, parent, turn) AS (
    SELECT 0, parent, turn FROM nodes WHERE node = ?
    UNION ALL SELECT depth + 1, nodes.parent, nodes.turn FROM nodes JOIN chain ON nodes.node = chain.parent)
SELECT turn FROM chain ORDER BY depth
"""


def _grown(db: Transaction, owner: str, messages: tuple[Message, ...]) -> int | None:
    """Return the node that the messages end in, counted as used once more; what is new is added to the owner's tree.

    A node holds a message and knows the one before it. Its digest covers all up to it, so that conversations with
    the same beginning share it.
    """
    encoded = [msgspec.json.encode(message) for message in messages]
    digests: list[bytes] = []
    for message in encoded:
        digests.append(hashlib.sha256((digests[-1] if digests else b"") + message).digest())
    known, node = len(messages), None
    while known and node is None:
        found = db.execute("SELECT node FROM nodes WHERE owner = ? AND digest = ?", (owner, digests[known - 1]))
        node = next((row[0] for row in found), None)
        known -= node is None
    for message, digest in zip(encoded[known:], digests[known:], strict=True):
        _use(db, node)
        row = (owner, digest, node, message)
        insert = "INSERT INTO nodes (owner, digest, parent, uses, turn) VALUES (?, ?, ?, 0, ?) RETURNING node"
        node = db.execute(insert, row).fetchone()[0]
        _count(db, owner, len(message))
    _use(db, node)
    return node


def _use(db: Transaction, node: int | None) -> None:
    db.execute("UPDATE nodes SET uses = uses + 1 WHERE node = ?", (node,))


def _size(text: str | bytes) -> int:
    return len(text if isinstance(text, bytes) else text.encode())


def _count(db: Transaction, owner: str, more: int) -> None:
    upsert = "INSERT INTO owners VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET bytes = owners.bytes + excluded.bytes"
    db.execute(upsert, (owner, more))
    db.execute("DELETE FROM owners WHERE owner = ? AND bytes = 0", (owner,))
