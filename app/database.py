"""An sqlite file: opened for its owner alone, one transaction at a time, put aside when it is damaged."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from app.errors import DatabaseFailed
from app.event_loop import beside

log = logging.getLogger(__name__)

# How many pages (of 4 kB) are given back to the file system in one step; other requests have their turn in between.
MAX_FREED_PAGES = 256
# How often the journal's end is tried while another worker reads, and how long each waits, in seconds.
MAX_WIPES, WIPE_PAUSE_SECONDS = 10, 0.02
# How long another worker's write is waited for, and how often it is looked at, in seconds. sqlite's own wait would
# hold up every request of the worker.
WAIT_SECONDS = 5.0
PAUSE_SECONDS = 0.01
UNUSABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

T = TypeVar("T")


class _Damaged(Exception):
    """The file does not hold what this version of the server wrote."""


class Database:
    """The file `path` with the tables of `schema`, opened at its first use. Thread-safe.

    A file that is damaged, or of another `version` than this one and those of `upgrades`, is put aside, and the next
    use begins anew. An upgrade is a script, by the version that it is for.
    """

    def __init__(self, path: Path, schema: str, version: int, upgrades: Mapping[int, str] | None = None) -> None:
        self._path = path
        self._schema = schema
        self._version = version
        self._upgrades = upgrades or {}
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` does in one transaction, which others see as a whole or not at all.

        It runs beside the event loop: what it reads may be large, and the disk slow.
        Raises DatabaseFailed.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                with self._lock:
                    return beside(lambda: self._transact(work))
            except (sqlite3.Error, OSError, msgspec.DecodeError, _Damaged) as error:
                busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() >= deadline:
                    raise self._failed(error) from error
            time.sleep(PAUSE_SECONDS)

    def wipe(self) -> None:
        """Take what was deleted out of the journal and give its place back to the file system.

        Pages that are free are cut off; older copies of what stood in the others may be in the journal. It does not
        fail: what another worker's reading puts off is done at the next deletion.
        """
        tries, left = 0, -1
        while tries < MAX_WIPES:
            before = left
            try:
                with self._lock:
                    left, busy = beside(self._free)
            except (sqlite3.Error, OSError, _Damaged) as error:
                left, busy = 0, getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
                if not busy:
                    log.warning("%s: what was deleted may be in the journal still: %s", self._path.name, error)
            if not left and not busy:
                return
            tries += bool(busy) or left == before
            time.sleep(WIPE_PAUSE_SECONDS if busy else 0)

    def close(self) -> None:
        """Close the file; idempotent."""
        with self._lock:
            self._let_go()

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _transaction(self._opened()) as db:
            return work(db)

    def _free(self) -> tuple[int, int]:
        """Free some pages; return how many are left to free, and whether the end of the journal is in use."""
        db = self._opened()
        # Not `execute`, which takes one step, and with it frees one page.
        db.executescript(f"PRAGMA incremental_vacuum({MAX_FREED_PAGES})")
        (left,) = db.execute("PRAGMA freelist_count").fetchone()
        return left, 0 if left else db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            # Not sqlite's own way: it would make a file that others may read.
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                self._inode = os.fstat(descriptor).st_ino
            finally:
                os.close(descriptor)
            db = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(db)
            except BaseException:
                db.close()
                raise
            self._connection = db
        return self._connection

    def _failed(self, error: Exception) -> DatabaseFailed:
        if not _is_damage(error):
            return DatabaseFailed(str(error))
        with self._lock:
            self._let_go()
            aside = self._path.with_name(f"{self._path.name}.damaged-{int(time.time())}")
            with contextlib.suppress(OSError):
                # Another worker may have put it aside already.
                if self._path.stat().st_ino == self._inode:
                    self._path.rename(aside)
                    for suffix in ("-wal", "-shm"):
                        self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return DatabaseFailed(str(error), aside)

    def _let_go(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _prepare(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in {0, self._version, *self._upgrades}:
            raise _Damaged(f"version {version} of the file is not {self._version}")
        if version == 0:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before there is a table
        db.execute("PRAGMA journal_mode = WAL")
        # Deleted bytes are overwritten in pages that stay; whole pages are cut off by `wipe`.
        db.execute("PRAGMA secure_delete = FAST")
        # A power cut may cost the last transactions, a killed server none.
        db.execute("PRAGMA synchronous = NORMAL")
        if version in self._upgrades:
            db.executescript(self._upgrades[version])
        db.executescript(f"{self._schema}; PRAGMA user_version = {self._version}")


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def _is_damage(error: Exception) -> bool:
    if isinstance(error, msgspec.DecodeError | _Damaged):
        return True
    # Some findings of sqlite's carry no more than the general class.
    return type(error) is sqlite3.DatabaseError or getattr(error, "sqlite_errorcode", None) in UNUSABLE
