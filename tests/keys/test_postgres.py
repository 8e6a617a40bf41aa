"""Keys in a database that cannot be reached; those in one that can are in tests/postgres."""

from __future__ import annotations

import pytest
from server import free_port

from app.errors import StorageUnavailable
from app.keys.keyring import Keyring
from app.keys.postgres import PostgresKeys
from app.postgres.database import Postgres


def test_away_from_the_beginning():
    """A server that cannot know whether there are keys lets nobody in, not even one without."""
    database = Postgres(f"postgresql://127.0.0.1:{free_port()}/garden")
    ring = Keyring((), PostgresKeys(database))
    assert ring.closed
    with pytest.raises(StorageUnavailable):
        ring.find("", "any")
    database.close()
