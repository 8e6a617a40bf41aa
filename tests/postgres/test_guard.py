"""Nobody waits without end for a database that says nothing."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from server import until

from app.postgres.guard import Guard
from tests.postgres.reach import MAX_SECONDS, refused, works


def test_it_stands_still(engine, connect):
    """A database that keeps its connections and answers nothing holds nobody up for long."""
    database = connect()
    assert works(database)
    engine.freeze()
    try:
        refused(database)
        until(lambda: database.away is not None, MAX_SECONDS)
        began = time.monotonic()
        refused(database)
        assert time.monotonic() - began < 2
    finally:
        engine.thaw()
    until(lambda: works(database), MAX_SECONDS)


def test_one_of_two(url):
    """The connection that waits for too long is shut; one that does not is left alone, and so is one that is done."""
    guard, done = Guard(), threading.Event()
    with psycopg.connect(url, autocommit=True) as slow, psycopg.connect(url, autocommit=True) as quick:
        with guard.bounded(quick, 0.2):
            quick.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError), guard.bounded(slow, 0.2):
            slow.execute("SELECT pg_sleep(60)")
        assert slow.broken
        assert quick.execute("SELECT 1").fetchone() == (1,)
    guard.close()
    assert not done.is_set()
