"""Sessions in an sqlite file, shared by the workers of one machine."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from pathlib import Path

import msgspec

from app import process_identity
from app.conversation import Turn
from app.sessions.database import Database
from app.sessions.store import Key, Session, Summary

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    owner TEXT, id TEXT, system TEXT, revision TEXT, created REAL, used REAL, PRIMARY KEY (owner, id));
CREATE TABLE IF NOT EXISTS turns (
    owner TEXT, id TEXT, position INTEGER, turn BLOB, PRIMARY KEY (owner, id, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT, id TEXT, pid INTEGER, began REAL);
CREATE INDEX IF NOT EXISTS queued ON queue (owner, id, ticket);
"""
THIS = "owner = ? AND id = ?"
# How often expired sessions are cleared away, in seconds; they are not served meanwhile.
PURGE = 60.0


class SqliteStore:
    """A SessionStore in the file `path`, each session for `seconds` after its last use. Thread-safe."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._database = Database(path, SCHEMA)
        self._seconds = seconds
        self._purged = 0.0

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
            row = db.execute(f"SELECT system, revision, created, used FROM sessions WHERE {THIS}", this).fetchone()
            if row is None or row[3] < now - self._seconds:
                return None
            rows = db.execute(f"SELECT turn FROM turns WHERE {THIS} ORDER BY position", this)
            turns = tuple(msgspec.json.decode(turn, type=Turn) for (turn,) in rows)
            db.execute(f"UPDATE sessions SET used = ? WHERE {THIS}", (now, *this))
            return Session(key, row[0], turns, row[1], row[2], now)

        return self._database.do(read)

    def save(self, key: Key, before: Session | None, system: str, turns: tuple[Turn, ...], common: int) -> bool:
        """Replace what was loaded `before` by `turns`, the first `common` of which are in it already."""
        this, now = (key.owner, key.id), time.time()

        def write(db: sqlite3.Connection) -> bool:
            row = db.execute(f"SELECT revision, used FROM sessions WHERE {THIS}", this).fetchone()
            expired = row is not None and row[1] < now - self._seconds
            if (row is not None and not expired) != (before is not None):
                return False
            if before is not None and row[0] != before.revision:
                return False
            created = now if before is None else before.created
            rows = (*this, system, secrets.token_hex(8), created, now)
            db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?)", rows)
            db.execute(f"DELETE FROM turns WHERE {THIS} AND position >= ?", (*this, common))
            new = [(*this, number, msgspec.json.encode(turns[number])) for number in range(common, len(turns))]
            db.executemany("INSERT INTO turns VALUES (?, ?, ?, ?)", new)
            return True

        return self._database.do(write)

    def delete(self, key: Key) -> bool:
        """Forget a session; return whether there was one that had not expired."""
        this, now = (key.owner, key.id), time.time()

        def remove(db: sqlite3.Connection) -> bool:
            self._purge(db, now, at_once=True)
            found = db.execute(f"DELETE FROM sessions WHERE {THIS}", this).rowcount > 0
            db.execute(f"DELETE FROM turns WHERE {THIS}", this)
            return found

        return self._database.do(remove)

    def summaries(self, owner: str) -> list[Summary]:
        """Return an owner's sessions, the last used first."""

        def read(db: sqlite3.Connection) -> list[Summary]:
            self._purge(db, time.time(), at_once=True)
            count = "(SELECT count(*) FROM turns WHERE turns.owner = sessions.owner AND turns.id = sessions.id)"
            query = f"SELECT id, {count}, created, used, used + ? FROM sessions WHERE owner = ? ORDER BY used DESC"
            return [Summary(*row) for row in db.execute(query, (self._seconds, owner))]

        return self._database.do(read)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()

    def _purge(self, db: sqlite3.Connection, now: float, *, at_once: bool = False) -> None:
        if at_once or now - self._purged >= PURGE or now < self._purged:
            self._purged = now
            db.execute("DELETE FROM sessions WHERE used < ?", (now - self._seconds,))
            left = "SELECT 1 FROM sessions WHERE sessions.owner = turns.owner AND sessions.id = turns.id"
            db.execute(f"DELETE FROM turns WHERE NOT EXISTS ({left})")
