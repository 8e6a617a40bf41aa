"""What a machine has kept in files, taken over into a database."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from app.keys.file import KeyFile
from app.keys.postgres import PostgresKeys
from app.ledger.postgres import PostgresLedger, PostgresWindows
from app.ledger.sqlite import FILE as LEDGER_FILE
from app.ledger.sqlite import SqliteLedger
from app.ledger.windows import FILE as WINDOWS_FILE
from app.ledger.windows import FileWindows
from app.postgres.database import Postgres
from app.sessions.postgres import PostgresStore
from app.sessions.sqlite import FILE, SqliteStore

# Who owns responses has this at the end of the name.
RESPONSES = "/responses"
# So many turns and days go at a time: servers that run wait meanwhile.
BATCH = 1000


class Copied(NamedTuple):
    """How many of something were found in files, and how many of them the database had not.

    `refused` names those that it does not take, since it has another of that name or has ended this one.
    """

    what: str
    found: int
    added: int
    refused: tuple[str, ...] = ()


def take_over(folder: Path, database: Postgres, session_seconds: float) -> Iterator[Copied]:
    """Copy all that the state folder has; what the database has under the same name stays as it is there.

    Raises ConfigError, SessionStorageFailed or DatabaseFailed; what was copied by then is there, and a further try
    goes on with the rest.
    """
    yield _keys(KeyFile(folder), PostgresKeys(database))
    if (folder / FILE).exists():
        yield from _sessions(SqliteStore(folder / FILE, session_seconds), PostgresStore(database, session_seconds))
    if (folder / LEDGER_FILE).exists():
        yield from _ledger(SqliteLedger(folder / LEDGER_FILE), PostgresLedger(database))
    if windows := {place: seen for place, seen in FileWindows(folder / WINDOWS_FILE).merge({}).items() if place.login}:
        there = PostgresWindows(database)
        known = there.merge({}).keys()
        there.merge(windows)
        yield Copied("windows of the plan", len(windows), len(windows.keys() - known))


def _keys(file: KeyFile, there: PostgresKeys) -> Copied:
    found = file.read() or ()
    known = {(key.name, key.digest) for key in there.read() or ()}
    missing = [key for key in found if (key.name, key.digest) not in known]
    refused = tuple(key.name for key in missing if not there.take_over(key))
    return Copied("API keys", len(found), len(missing) - len(refused), refused)


def _sessions(files: SqliteStore, there: PostgresStore) -> Iterator[Copied]:
    found, added = collections.Counter[str](), collections.Counter[str]()
    try:
        for name in files.names():
            session = files.look(name)
            if session is not None:
                what = "responses" if name.owner.endswith(RESPONSES) else "sessions"
                found[what] += 1
                added[what] += there.take_over(session)
    finally:
        files.close()
    for what in ("sessions", "responses"):
        yield Copied(what, found[what], added[what])


def _ledger(file: SqliteLedger, there: PostgresLedger) -> Iterator[Copied]:
    """Copy turns, which are known by their writers, and sums by day, which are known by the file they come from."""
    try:
        source, found, added, last = file.identity(), 0, 0, 0
        while batch := file.turns(last, BATCH):
            # Whose login it was where that is not known is not for others to count.
            turns = [
                (writer, place, msgspec.structs.replace(entry, login=entry.login or source))
                for _, writer, place, entry in batch
            ]
            found, added, last = found + len(turns), added + there.take_over(turns), batch[-1][0]
        yield Copied("turns in the ledger", found, added)
        days = file.days()
        added = sum(there.take_over_days(source, days[at : at + BATCH]) for at in range(0, len(days), BATCH))
        yield Copied("sums by day", len(days), added)
    finally:
        file.close()
