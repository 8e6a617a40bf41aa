"""Where sessions, responses and API keys are: in files of the state folder, or in the database that is named."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import TYPE_CHECKING

from app.address import is_loopback
from app.config import Settings
from app.errors import ConfigError
from app.keys.file import KeyFile
from app.keys.store import KeyStore
from app.sessions.sqlite import FILE, SqliteStore
from app.sessions.store import SessionStore

if TYPE_CHECKING:
    from app.postgres.database import Postgres


@dataclasses.dataclass(frozen=True)
class Storage:
    """The stores that the settings name; `database` is None where they are files.

    `closed` says that a key is needed whatever the store of keys has: the server can be reached from elsewhere, or
    there were keys before there was a database.
    """

    keys: KeyStore
    sessions: SessionStore
    closed: bool = False
    database: Postgres | None = None

    def close(self) -> None:
        """Let go of files and connections; idempotent."""
        self.sessions.close()
        if self.database is not None:
            self.database.close()


def open_storage(settings: Settings) -> Storage:
    """Return the stores; each is opened at its first use. Raises ConfigError."""
    files, beyond = KeyFile(settings.state_dir), not is_loopback(settings.host)
    if not settings.database:
        return Storage(files, SqliteStore(settings.state_dir / FILE, settings.session_seconds), beyond)
    if importlib.util.find_spec("psycopg") is None or importlib.util.find_spec("psycopg_pool") is None:
        raise ConfigError("CLAUDE_PROXY_DATABASE needs the extra `postgres`: pip install '.[postgres]'")
    # Imported late: whoever has no database needs no library for it.
    from app.keys.postgres import PostgresKeys  # noqa: PLC0415
    from app.postgres.database import Postgres  # noqa: PLC0415
    from app.sessions.postgres import PostgresStore  # noqa: PLC0415

    database = Postgres(settings.database)
    closed = beyond or files.read() is not None
    return Storage(PostgresKeys(database), PostgresStore(database, settings.session_seconds), closed, database)
