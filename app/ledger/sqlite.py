"""The ledger in an sqlite file, shared by the workers of one machine."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from app.database import Database
from app.errors import DatabaseFailed
from app.ledger.entry import Entry, day_of
from app.ledger.sql import COLUMNS, DAY_COLUMNS, SUMMED, Clients, SqlLedger
from app.ledger.store import Mark, News

FILE = "usage.db"
VERSION = 2
# How long a writing server is waited for by somebody who only reads, in seconds.
WAIT_SECONDS = 5.0
# AUTOINCREMENT: a number is never given twice, so whoever has read up to one has read all before it.
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS turns (
    number INTEGER PRIMARY KEY AUTOINCREMENT, writer TEXT NOT NULL, {", ".join(COLUMNS)}, place INTEGER);
CREATE INDEX IF NOT EXISTS ended ON turns (at);
CREATE UNIQUE INDEX IF NOT EXISTS once ON turns (writer, place);
CREATE TABLE IF NOT EXISTS days (
    day TEXT, owner TEXT, client TEXT, model TEXT, key TEXT, requests INTEGER, failed INTEGER, input_tokens INTEGER,
    output_tokens INTEGER, cache_read_tokens INTEGER, cache_write_tokens INTEGER, dollars REAL, unpriced INTEGER,
    PRIMARY KEY (day, owner, client, model)) WITHOUT ROWID;
"""
# In one transaction, or a server that is ended in its midst would leave a file that none can use.
UPGRADES = {
    1: """
    BEGIN IMMEDIATE;
    ALTER TABLE turns ADD COLUMN login TEXT NOT NULL DEFAULT '';
    ALTER TABLE turns ADD COLUMN place INTEGER;
    UPDATE turns SET place = number;
    PRAGMA user_version = 2;
    COMMIT
    """
}
INSERT = f"""
INSERT INTO turns (writer, place, {", ".join(COLUMNS)}) VALUES ({", ".join("?" * (len(COLUMNS) + 2))})
ON CONFLICT DO NOTHING
"""
ADDED = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMMED)
ADD_TO_DAY = f"""
INSERT INTO days ({", ".join(DAY_COLUMNS)}) VALUES ({", ".join("?" * len(DAY_COLUMNS))})
ON CONFLICT (day, owner, client, model) DO UPDATE SET {ADDED}
"""
T = TypeVar("T")


class SqliteLedger(SqlLedger):
    """A LedgerStore in the file `path`; a day is that of this machine. Thread-safe."""

    DAY: ClassVar[str] = "strftime('%Y-%m-%d', at, 'unixepoch', 'localtime')"
    MOMENT: ClassVar[str] = "CAST(at AS INTEGER)"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = Database(path, SCHEMA, VERSION, UPGRADES)
        self._seen: object = None  # how the files were when the news was read

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return str(self._path)

    def write(self, writer: str, entries: Sequence[tuple[int, Entry]]) -> None:
        """Add entries to the turns and to their days' sums, all or none; what is there already changes nothing."""

        def add(db: sqlite3.Connection) -> None:
            clients = Clients(db)
            for place, entry in entries:
                if db.execute(INSERT, (writer, place, *msgspec.structs.astuple(entry))).rowcount:
                    db.execute(ADD_TO_DAY, _sums(entry, clients))

        self._do(add)

    def news(self, after: Mark, but: str, since: float) -> tuple[list[News], Mark]:
        """Return what was spent by the entries beyond a mark that others wrote `but` this writer, and the next mark."""
        files = self._files()
        if files == self._seen or not self._path.exists():
            return [], after

        def read(db: sqlite3.Connection) -> tuple[list[News], Mark]:
            last = self._last(db)
            # Where the file has begun anew, so have its numbers.
            begin = after.number if last.number >= after.number else 0
            return self._read_news(db, begin, last.number, but, since), last

        found = self._do(read)
        self._seen = files
        return found

    def first_kept(self, rows_before: float) -> tuple[float, int]:
        """Return when the first turn ended that is to be kept, and its number: none before then, so many at most."""
        return super().first_kept(rows_before) if self._path.exists() else (rows_before, 0)

    def expire(self, first: tuple[float, int], days_before: float, most: int) -> int:
        """Remove at most so many turns before the `first` that is kept, and of older days; return how many are gone."""
        return super().expire(first, days_before, most) if self._path.exists() else 0

    def identity(self) -> str:
        """Return what tells this file from any other; it is written into it when it is first asked for."""

        def read(db: sqlite3.Connection) -> str:
            (known,) = db.execute("PRAGMA application_id").fetchone()
            if not known:
                known = secrets.randbelow(2**31 - 1) + 1
                db.execute(f"PRAGMA application_id = {known}")
            return f"{known:08x}"

        return self._do(read)

    def turns(self, after: int, most: int) -> list[tuple[int, str, int, Entry]]:
        """Return at most so many turns beyond a number, in their order: each with its number, writer and place."""
        names = ", ".join(COLUMNS)
        query = f"SELECT number, writer, place, {names} FROM turns WHERE number > ? ORDER BY number LIMIT ?"
        rows = self._do(lambda db: db.execute(query, (after, most)).fetchall())
        return [
            (number, writer, place, Entry(**dict(zip(COLUMNS, columns, strict=True))))
            for number, writer, place, *columns in rows
        ]

    def days(self) -> list[tuple[Any, ...]]:
        """Return all sums by day."""
        query = f"SELECT {', '.join(DAY_COLUMNS)} FROM days ORDER BY day"
        return self._do(lambda db: db.execute(query).fetchall())

    def wipe(self) -> None:
        """Take what was removed off the disk."""
        self._database.wipe()

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._database.do(work)

    def _last(self, db: sqlite3.Connection) -> Mark:
        # Not of the rows: the last may be gone, and its number is not given again.
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'turns'").fetchone()
        return Mark("", 0 if row is None else int(row[0]))

    def _files(self) -> object:
        """Return what changes whenever anybody has written."""
        found: list[object] = []
        for path in (self._path, self._path.with_name(f"{self._path.name}-wal")):
            try:
                status = path.stat()
                found.append((status.st_ino, status.st_size, status.st_mtime_ns))
            except OSError:
                found.append(None)
        return found


class SqliteReader(SqliteLedger):
    """The same for somebody who only reads: what is wrong with the file is for the server to mend."""

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with contextlib.closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", WAIT_SECONDS, uri=True)) as db:
                if db.execute("PRAGMA user_version").fetchone() != (VERSION,):
                    raise DatabaseFailed(f"{self._path} was written by another version of this program.")
                return work(db)
        except sqlite3.Error as error:
            raise DatabaseFailed(f"{self._path} cannot be read: {error}.") from error


def _sums(entry: Entry, clients: Clients) -> tuple[Any, ...]:
    day = day_of(entry.at)
    figures = (getattr(entry, name) for name in SUMMED)
    return (day, entry.owner, clients.name(day, entry.client), entry.model, entry.key, *figures)
