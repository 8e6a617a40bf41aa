"""Sessions in an sqlite file, shared by the workers of one machine."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from app import process_identity
from app.conversation import Turn
from app.sessions.database import Database
from app.sessions.store import Key, Session, Summary

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    owner TEXT, id TEXT, system TEXT, head INTEGER, turns INTEGER, revision TEXT, created REAL, used REAL,
    PRIMARY KEY (owner, id));
CREATE INDEX IF NOT EXISTS oldest ON sessions (owner, used);
CREATE TABLE IF NOT EXISTS nodes (
    node INTEGER PRIMARY KEY, owner TEXT, digest BLOB, parent INTEGER, uses INTEGER, turn BLOB, UNIQUE (owner, digest));
CREATE TABLE IF NOT EXISTS owners (owner TEXT PRIMARY KEY, bytes INTEGER);
CREATE TABLE IF NOT EXISTS queue (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT, id TEXT, pid INTEGER, began REAL);
CREATE INDEX IF NOT EXISTS queued ON queue (owner, id, ticket);
"""
THIS = "owner = ? AND id = ?"
T = TypeVar("T")
# What one owner may have kept, and all together, in bytes; beyond it the sessions and responses used longest ago go.
MAX_OWNER_BYTES = 256 * 2**20
MAX_BYTES = 2**30
# How many go at a time, so that a write does not last; the next write goes on.
MAX_EVICTED = 200
# How often expired sessions are cleared away, in seconds; they are not served meanwhile.
PURGE = 60.0


class SqliteStore:
    """A SessionStore in the file `path`, each session for `seconds` after its last use. Thread-safe."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._database = Database(path, SCHEMA)
        self._seconds = seconds
        self._purged = 0.0
        self._dropped = False  # something is gone whose bytes are still on the disk

    def join(self, key: Key) -> int:
        """Queue up for a session's next turn; return a ticket."""
        row = (key.owner, key.id, os.getpid(), process_identity.started())
        insert = "INSERT INTO queue (owner, id, pid, began) VALUES (?, ?, ?, ?)"
        return self._database.do(lambda db: db.execute(insert, row).lastrowid or 0)

    def is_first(self, ticket: int) -> bool:
        """Tell whether it is this ticket's turn. Tickets of workers that died are taken away."""

        def look(db: sqlite3.Connection) -> bool:
            mine = (
                "SELECT first.ticket, first.pid, first.began FROM queue AS mine JOIN queue AS first USING (owner, id) "
            )
            rows = db.execute(mine + "WHERE mine.ticket = ? ORDER BY first.ticket", (ticket,))
            for first, pid, began in rows.fetchall():
                if first == ticket:
                    return True
                if process_identity.running(pid, began):
                    return False
                db.execute("DELETE FROM queue WHERE ticket = ?", (first,))
            return True  # nobody is left to wait for, not even oneself: the file is a new one

        return self._database.do(look)

    def leave(self, ticket: int) -> None:
        """Give the place to the next; idempotent."""
        self._database.do(lambda db: db.execute("DELETE FROM queue WHERE ticket = ?", (ticket,)))

    def load(self, key: Key) -> Session | None:
        """Return a session that has not expired, and note that it was used."""
        this, now = (key.owner, key.id), time.time()

        def read(db: sqlite3.Connection) -> Session | None:
            self._purge(db, now)
            query = f"SELECT system, head, revision, created, used FROM sessions WHERE {THIS}"
            row = db.execute(query, this).fetchone()
            if row is None or row[4] < now - self._seconds:
                return None
            turns = tuple(msgspec.json.decode(turn, type=Turn) for (turn,) in db.execute(CHAIN, (row[1],)))
            db.execute(f"UPDATE sessions SET used = ? WHERE {THIS}", (now, *this))
            return Session(key, row[0], turns[::-1], row[2], row[3], now)

        return self._cleanly(read)

    def save(self, key: Key, before: Session | None, system: str, turns: tuple[Turn, ...]) -> bool:
        """Replace what was loaded `before` by `turns`; what they have in common with others is stored once."""
        this, now = (key.owner, key.id), time.time()

        def write(db: sqlite3.Connection) -> bool:
            row = db.execute(f"SELECT head, system, revision, used FROM sessions WHERE {THIS}", this).fetchone()
            expired = row is not None and row[3] < now - self._seconds
            if (row is not None and not expired) != (before is not None):
                return False
            if before is not None and row[2] != before.revision:
                return False
            head = _grown(db, key.owner, turns)
            if row is not None:
                _drop(db, key)
            created = now if before is None else before.created
            values = (*this, system, head, len(turns), secrets.token_hex(8), created, now)
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            _count(db, key.owner, len(system.encode()))
            self._make_room(db, key)
            return True

        return self._cleanly(write)

    def delete(self, key: Key) -> bool:
        """Forget a session; return whether there was one that had not expired."""
        now = time.time()

        def remove(db: sqlite3.Connection) -> bool:
            self._purge(db, now, at_once=True)
            self._dropped = True
            return _drop(db, key)

        return self._cleanly(remove)

    def summaries(self, owner: str) -> list[Summary]:
        """Return an owner's sessions, the last used first."""

        def read(db: sqlite3.Connection) -> list[Summary]:
            self._purge(db, time.time(), at_once=True)
            query = "SELECT id, turns, created, used, used + ? FROM sessions WHERE owner = ? ORDER BY used DESC"
            return [Summary(*row) for row in db.execute(query, (self._seconds, owner))]

        return self._cleanly(read)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()

    def _cleanly(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` does in one transaction; what it has dropped is gone from the disk afterwards."""
        done = self._database.do(work)
        if self._dropped:
            self._dropped = False
            self._database.wipe()
        return done

    def _purge(self, db: sqlite3.Connection, now: float, *, at_once: bool = False) -> None:
        if at_once or now - self._purged >= PURGE or now < self._purged:
            self._purged = now
            expired = db.execute("SELECT owner, id FROM sessions WHERE used < ?", (now - self._seconds,)).fetchall()
            self._drop_all(db, expired)

    def _make_room(self, db: sqlite3.Connection, keep: Key) -> None:
        """Drop what was used longest ago, but for the session `keep`, where the owner or all have too much."""
        others = "NOT (owner = ? AND id = ?) ORDER BY used LIMIT ?"
        for limit, whose, given in ((MAX_OWNER_BYTES, "owner = ?", (keep.owner,)), (MAX_BYTES, "TRUE", ())):
            room = f"SELECT coalesce(sum(bytes), 0) <= ? FROM owners WHERE {whose}"
            if db.execute(room, (limit, *given)).fetchone()[0]:
                continue
            oldest = f"SELECT owner, id FROM sessions WHERE {whose} AND {others}"
            for row in db.execute(oldest, (*given, keep.owner, keep.id, MAX_EVICTED)).fetchall():
                self._drop_all(db, [row])
                if db.execute(room, (limit, *given)).fetchone()[0]:
                    break

    def _drop_all(self, db: sqlite3.Connection, rows: list[tuple[str, str]]) -> None:
        for owner, name in rows:
            self._dropped |= _drop(db, Key(owner, name))


# The turns of a chain, the last first.
CHAIN = """
WITH RECURSIVE chain (depth, parent, turn) AS (
    SELECT 0, parent, turn FROM nodes WHERE node = ?
    UNION ALL SELECT depth + 1, nodes.parent, nodes.turn FROM nodes JOIN chain ON nodes.node = chain.parent)
SELECT turn FROM chain ORDER BY depth
"""


def _grown(db: sqlite3.Connection, owner: str, turns: tuple[Turn, ...]) -> int | None:
    """Return the node that the turns end in, counted as used once more; what is new is added to the owner's tree.

    A node holds a turn and knows the one before it. Its digest covers all turns up to it, so that conversations with
    the same beginning share it.
    """
    encoded = [msgspec.json.encode(turn) for turn in turns]
    digests: list[bytes] = []
    for turn in encoded:
        digests.append(hashlib.sha256((digests[-1] if digests else b"") + turn).digest())
    known, node = len(turns), None
    while known and node is None:
        found = db.execute("SELECT node FROM nodes WHERE owner = ? AND digest = ?", (owner, digests[known - 1]))
        node = next((row[0] for row in found), None)
        known -= node is None
    for turn, digest in zip(encoded[known:], digests[known:], strict=True):
        _use(db, node)
        row = (owner, digest, node, turn)
        insert = "INSERT INTO nodes (owner, digest, parent, uses, turn) VALUES (?, ?, ?, 0, ?)"
        node = db.execute(insert, row).lastrowid
        _count(db, owner, len(turn))
    _use(db, node)
    return node


def _use(db: sqlite3.Connection, node: int | None) -> None:
    db.execute("UPDATE nodes SET uses = uses + 1 WHERE node = ?", (node,))


def _drop(db: sqlite3.Connection, key: Key) -> bool:
    """Forget a session and those of its nodes that nothing else uses; return whether there was one."""
    this = (key.owner, key.id)
    row = db.execute(f"DELETE FROM sessions WHERE {THIS} RETURNING head, system", this).fetchone()
    if row is None:
        return False
    node, freed = row[0], len(row[1].encode())
    while node is not None:
        db.execute("UPDATE nodes SET uses = uses - 1 WHERE node = ?", (node,))
        gone = db.execute(
            "DELETE FROM nodes WHERE node = ? AND uses = 0 RETURNING parent, length(turn)", (node,)
        ).fetchone()
        if gone is None:
            break
        node, freed = gone[0], freed + gone[1]
    _count(db, key.owner, -freed)
    return True


def _count(db: sqlite3.Connection, owner: str, more: int) -> None:
    upsert = "INSERT INTO owners VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET bytes = bytes + excluded.bytes"
    db.execute(upsert, (owner, more))
    db.execute("DELETE FROM owners WHERE owner = ? AND bytes = 0", (owner,))
