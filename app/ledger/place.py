"""Where the ledger is, and what was seen of windows: in files, or in the database that several hosts share."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.address import written
from app.backend import Backend
from app.config import Settings
from app.ledger.ledger import Ledger
from app.ledger.sqlite import FILE, SqliteLedger
from app.ledger.store import LedgerStore
from app.ledger.windows import FILE as WINDOWS_FILE
from app.ledger.windows import FileWindows, Windows, WindowStore

if TYPE_CHECKING:
    from app.postgres.database import Postgres


def open_ledger(
    settings: Settings,
    backend: Backend,
    database: Postgres | None,
    *,
    failed: Callable[[], object],
    lost: Callable[[int], object],
) -> tuple[Ledger, Windows]:
    """Return the ledger of a server, which tells of failures as it says, and what the server sees of windows."""
    # Where it is not known who pays, and others share the ledger, it is this host.
    unknown = "" if database is None else host_of(settings)

    def login() -> str:
        return backend.login or unknown

    store = open_store(settings, database)
    ledger = Ledger(store, settings.usage_days, settings.usage_sum_days, login=login, failed=failed, lost=lost)
    return ledger, Windows(backend, ledger.spent, open_windows(settings, database), login)


def file_of(settings: Settings) -> Path:
    """Return the file that the ledger is in where there is no database."""
    return settings.state_dir / FILE


def open_store(settings: Settings, database: Postgres | None) -> LedgerStore:
    """Return the ledger's store, opened at its first use."""
    if database is None:
        return SqliteLedger(file_of(settings))
    # Imported late: whoever has no database needs no library for it.
    from app.ledger.postgres import PostgresLedger  # noqa: PLC0415

    return PostgresLedger(database, host_of(settings))


def open_windows(settings: Settings, database: Postgres | None) -> WindowStore:
    """Return the store of what was seen of the plan's windows."""
    if database is None:
        return FileWindows(settings.state_dir / WINDOWS_FILE)
    from app.ledger.postgres import PostgresWindows  # noqa: PLC0415 - as above

    return PostgresWindows(database)


def host_of(settings: Settings) -> str:
    """Return what tells this server from those on other machines, and from others on this one."""
    return written(socket.gethostname(), settings.port)
