"""Sessions in an sqlite file, shared by the workers of one machine."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from app import process_identity
from app.database import Database
from app.errors import DatabaseFailed, SessionStorageFailed
from app.sessions.sql import SqlStore, Transaction
from app.sessions.store import SessionName

log = logging.getLogger(__name__)

FILE = "sessions.db"
VERSION = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    owner TEXT, id TEXT, system TEXT, head INTEGER, turns INTEGER, revision TEXT, created REAL, used REAL,
    PRIMARY KEY (owner, id));
CREATE INDEX IF NOT EXISTS oldest ON sessions (owner, used);
CREATE INDEX IF NOT EXISTS idle ON sessions (used);
CREATE TABLE IF NOT EXISTS nodes (
    node INTEGER PRIMARY KEY, owner TEXT, digest BLOB, parent INTEGER, uses INTEGER, turn BLOB, UNIQUE (owner, digest));
CREATE TABLE IF NOT EXISTS owners (owner TEXT PRIMARY KEY, bytes INTEGER);
CREATE TABLE IF NOT EXISTS queue (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT, id TEXT, pid INTEGER, began REAL);
CREATE INDEX IF NOT EXISTS queued ON queue (owner, id, ticket);
"""
# Version 1 kept each response with all that went before; sessions begin anew, and nothing of them stays.
UPGRADES = {
    1: "DROP TABLE sessions; DROP TABLE turns; DROP TABLE queue; PRAGMA auto_vacuum = INCREMENTAL; VACUUM",
}
T = TypeVar("T")


class SqliteStore(SqlStore):
    """A SessionStore in the file `path`, each session for `seconds` after its last use. Thread-safe."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(seconds)
        self._database = Database(path, SCHEMA, VERSION, UPGRADES)
        self._path = path

    def join(self, name: SessionName) -> int:
        """Queue up for a session's next turn; return a ticket."""
        row = (name.owner, name.id, os.getpid(), process_identity.started())
        insert = "INSERT INTO queue (owner, id, pid, began) VALUES (?, ?, ?, ?)"
        return self._do(lambda db: db.execute(insert, row).lastrowid or 0)

    def is_first(self, ticket: int) -> bool:
        """Tell whether it is this ticket's turn. Tickets of workers that died are taken away."""
        self._leave_owed()

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

        return self._do(look)

    def _give_back(self, ticket: int) -> None:
        self._do(lambda db: db.execute("DELETE FROM queue WHERE ticket = ?", (ticket,)))

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` does in one transaction. Raises SessionStorageFailed."""
        try:
            return self._database.do(work)
        except DatabaseFailed as error:
            log.error("sessions failed path=%s error=%s", self._path, error)  # noqa: TRY400 - it says it all
            if error.aside is None:
                raise SessionStorageFailed(f"The session could not be read or saved: {error}.") from error
            log.error("sessions begin anew; the damaged file is %s", error.aside)  # noqa: TRY400 - it says it all
            self._files += 1
            self._owed.clear()
            raise SessionStorageFailed(
                "The file of sessions is damaged and was put aside; sessions begin anew."
            ) from error

    def _begin(self, db: Transaction, owner: str) -> float:
        del db, owner  # a transaction has the whole file
        return time.time()

    def _take_too(self, db: Transaction, owner: str) -> bool:
        del db, owner
        return True

    def _wipe(self) -> None:
        self._database.wipe()
