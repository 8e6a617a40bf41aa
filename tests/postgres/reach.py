"""Whether a database can be reached, as the tests of this folder ask it."""

from __future__ import annotations

import time

import pytest

from app.errors import DatabaseAway

# Generous: what is tested is that there is an end.
MAX_SECONDS = 30


def one(db):
    return db.execute("SELECT 1").fetchone()[0]


def works(database):
    try:
        return database.do(one) == 1
    except DatabaseAway:
        return False


def refused(database):
    began = time.monotonic()
    with pytest.raises(DatabaseAway) as raised:
        database.do(one)
    assert time.monotonic() - began < MAX_SECONDS
    return str(raised.value)
