"""Tables are made once, brought forward, and never back."""

from __future__ import annotations

import threading

import psycopg
from server import until

from app.postgres import schema
from app.postgres.database import Postgres
from tests.postgres.reach import MAX_SECONDS, refused, works


def test_servers_that_start_together(url):
    """Several that find an empty database make its tables once."""
    databases = [Postgres(url) for _ in range(4)]
    threads = [threading.Thread(target=works, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [database.away for database in databases] == [None] * 4
    versions = databases[0].do(lambda db: db.execute("SELECT version FROM version").fetchall())
    assert versions == [(schema.VERSION,)]
    for database in databases:
        database.close()


def test_a_newer_server_has_been_here(connect, url):
    """A server that is older than the tables refuses them, in words: at its start, and when it happens beside it."""
    running = connect()
    assert works(running)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("UPDATE claude_max_api.version SET version = 99")
        db.execute("NOTIFY claude_max_api, 'schema'")
    assert "99" in refused(connect())
    until(lambda: running.away is not None, MAX_SECONDS)
    assert "upgrade this one" in refused(running)


def test_older_tables(url, monkeypatch):
    """Tables of an older version are brought forward, one version after the other, and keep what is in them."""
    older = Postgres(url)
    assert works(older)
    older.do(lambda db: db.execute("INSERT INTO owners VALUES ('ann', 1)"))
    older.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE owners ADD more integer DEFAULT 7"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    newer = Postgres(url)
    assert newer.do(lambda db: db.execute("SELECT * FROM owners").fetchall()) == [("ann", 1, 7)]
    newer.close()
