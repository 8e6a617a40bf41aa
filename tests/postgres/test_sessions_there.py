"""What sessions in PostgreSQL promise beyond those in a file: between machines, and when the database fails."""

from __future__ import annotations

import time

import psycopg
import pytest
from server import until

from app.conversation import Message, TextBlock
from app.errors import SessionBusy, SessionStorageFailed, StorageUnavailable
from app.sessions.postgres import PostgresStore
from app.sessions.store import SessionName

KEY = SessionName("", "a session")
USER, DONE = Message("user", (TextBlock("Hello."),)), Message("assistant", (TextBlock("Done."),))


@pytest.fixture
def store(connect):
    return PostgresStore(connect(), 60)


def test_clocks_that_differ(connect, monkeypatch):
    """Expiry goes by the database's clock, whatever the hosts' own say."""
    here, ahead = PostgresStore(connect(), 60), PostgresStore(connect(), 60)
    assert here.save(KEY, None, "", (USER, DONE))
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + 1_000_000)
    assert ahead.load(KEY).messages == (USER, DONE)
    assert [summary.id for summary in ahead.summaries("")] == [KEY.id]
    assert ahead.save(KEY, ahead.load(KEY), "", (USER, DONE, USER, DONE))
    monkeypatch.setattr(time, "time", true)
    assert len(here.load(KEY).messages) == 4


def test_connection_lost_in_mid_turn(store, connect, url):
    """Who loses the database while it answers has lost its place; its turn counts if nothing has changed."""
    other = PostgresStore(connect(), 60)
    assert other.load(KEY) is None
    ticket = store.join(KEY)
    before = store.load(KEY)
    _end_connections_but_those_of(other, url)
    later = other.join(KEY)
    until(lambda: other.is_first(later), 10, "the end of the connection that held the place")
    other.leave(later)
    _, saved = _once_it_is_back(lambda: store.save(KEY, before, "", (USER, DONE)))
    assert saved
    with pytest.raises(SessionBusy, match="has not entered it"):  # nobody is told that a turn was kept which was not
        other.save(KEY, None, "", (DONE,))
    store.leave(ticket)
    assert other.load(KEY).messages == (USER, DONE)


def test_a_damaged_message(store, url):
    """A message that cannot be read fails the requests of its session, in words; others and a new start do not mind."""
    for name in ("a", "b"):
        store.save(SessionName("", name), None, "", (Message("user", (TextBlock(name),)), DONE))
    with psycopg.connect(url, autocommit=True) as db:
        damage = "UPDATE claude_max_api.nodes SET turn = '{' WHERE position('\"a\"'::bytea IN turn) > 0"
        assert db.execute(damage).rowcount == 1
    with pytest.raises(SessionStorageFailed) as raised:
        store.load(SessionName("", "a"))
    assert not isinstance(raised.value, StorageUnavailable)
    assert store.load(SessionName("", "b")) is not None
    assert store.delete(SessionName("", "a"))
    assert store.save(SessionName("", "a"), None, "", (USER, DONE))


def test_full_disk(store, url):
    """Where nothing more can be written, the error says so, and what was there stays whole."""
    store.save(KEY, None, "", (USER, DONE))
    before = store.load(KEY)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            """
            SET search_path TO claude_max_api;
            CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
            CREATE TRIGGER full_disk BEFORE INSERT ON nodes FOR EACH ROW EXECUTE FUNCTION full_disk();
            """
        )
    with pytest.raises(SessionStorageFailed, match="No space left") as raised:
        store.save(KEY, before, "", (USER, DONE, USER))
    assert raised.value.code == "session_storage_failed"
    assert store.load(KEY).messages == (USER, DONE)


def _end_connections_but_those_of(store, url):
    """End all others, as a network does that breaks off."""
    own = store._database.do(lambda db: db.execute("SELECT pg_backend_pid()").fetchone()[0])
    with psycopg.connect(url, autocommit=True) as db:
        number = "(classid::bigint << 32) + objid::bigint"
        held = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND {number} = %s"
        (lifeline,) = db.execute(held, (store._database.holder,)).fetchone()
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'claude-max%%' "
            "AND datname = current_database() AND NOT pid = ANY(%s)",
            ([own, lifeline],),
        )


def _once_it_is_back(work):
    deadline = time.monotonic() + 20
    while True:
        try:
            return None, work()
        except StorageUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)
