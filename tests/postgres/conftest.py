"""One PostgreSQL for all tests of this folder, and a database of its own for each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.postgres.database import Postgres
from app.sessions.postgres import PostgresStore
from app.sessions.sql import SqlStore
from app.sessions.sqlite import SqliteStore
from tests.postgres.engine import Engine, folder_of_programs


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A PostgreSQL that runs."""
    if folder_of_programs() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # Not one of pytest's own folders, which only their owner may enter.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        engine = Engine(Path(folder))
        engine.start()
        yield engine
        engine.stop()


@pytest.fixture
def url(engine: Engine) -> str:
    """An empty database of a PostgreSQL that runs."""
    return engine.create()


@pytest.fixture
def connect(url: str) -> Iterator[Callable[[], Postgres]]:
    """Connect to the same database once more, as another server does."""
    opened: list[Postgres] = []

    def make() -> Postgres:
        opened.append(Postgres(url))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def open_store(request: pytest.FixtureRequest, tmp_path) -> Iterator[Callable[..., SqlStore]]:
    """Open a store on the same sessions once more, as another server does; a test with it runs with both engines."""
    opened: list[SqlStore] = []
    connected = request.getfixturevalue("connect") if request.param == "postgres" else None

    def make(seconds: float = 60.0) -> SqlStore:
        if connected is not None:
            opened.append(PostgresStore(connected(), seconds))
        else:
            opened.append(SqliteStore(tmp_path / "sessions.db", seconds))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., SqlStore]) -> SqlStore:
    """A store."""
    return open_store()
