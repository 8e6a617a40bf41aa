"""Transcripts that stay, for a while, for one owner, and are whole or not there."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time

import pytest

from app import database
from app.conversation import (
    Message,
    TextBlock,
)
from app.errors import SessionStorageFailed
from app.sessions import sql
from app.sessions.sqlite import SqliteStore
from app.sessions.store import SessionName
from tests.sessions.messages import CALL, DONE, KEY, USER


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


@pytest.fixture
def open_store(path):
    """Give a function that opens a store on the same file, as another worker does."""
    opened = []

    def make(seconds=60.0):
        opened.append(SqliteStore(path, seconds))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()


def test_a_place_that_cannot_be_given_back(store, path, monkeypatch):
    """Where another program has the file as a turn ends, the session's next turn waits no longer than that."""
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.1)
    first, second = store.join(KEY), store.join(KEY)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SessionStorageFailed):
            store.leave(first)
    assert store.is_first(second)


def test_nobody_else_may_read_it(store, path):
    """The file, its journal included, is the owner's alone, also where another mask is set."""
    before = os.umask(0)
    try:
        store.save(KEY, None, "", (USER, DONE))
    finally:
        os.umask(before)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["no database", "wrong version", "broken page", "broken message"])
def test_damage(open_store, path, damage):
    """A damaged file costs one request a clear error, is put aside, and sessions begin anew."""
    store = open_store()
    for number in range(50):
        store.save(SessionName("", str(number)), None, "x" * 1000, (USER, DONE))
    store.close()
    if damage == "no database":
        path.write_bytes(b"no database at all, " * 500)
    elif damage == "broken page":
        data = bytearray(path.read_bytes())
        data[4096 : len(data)] = b"\xff" * (len(data) - 4096)
        path.write_bytes(data)
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 7" if damage == "wrong version" else "UPDATE nodes SET turn = '{'")
        db.close()
    with pytest.raises(SessionStorageFailed, match="put aside"):
        store.load(SessionName("", "7"))
    assert store.load(SessionName("", "7")) is None
    assert store.save(SessionName("", "7"), None, "", (USER, DONE))
    assert open_store().load(SessionName("", "7")).messages == (USER, DONE)
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_full_disk(store):
    """Where nothing more can be written, the error says so, and what was there stays readable and whole."""
    store.save(KEY, None, "", (USER, CALL))
    before = store.load(KEY)
    pages = store._database.do(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    store._database._connection.execute(f"PRAGMA max_page_count = {pages}")
    big = Message("user", (TextBlock("x" * 100_000),))
    with pytest.raises(SessionStorageFailed, match="full"):
        store.save(KEY, before, "", (USER, CALL, big))
    assert store.load(KEY).messages == (USER, CALL)


def test_folder_that_is_gone(tmp_path):
    """A folder that does not exist is a clear error, not a crash."""
    with pytest.raises(SessionStorageFailed, match="No such file"):
        SqliteStore(tmp_path / "nowhere" / "sessions.db", 60).load(KEY)


def test_another_writer(store, open_store, path, monkeypatch):
    """A write waits for another worker's; one that never ends gives an error."""
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.3)
    store.save(KEY, None, "", (USER, DONE))
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.1, lambda: writer.execute("COMMIT"))
    timer.start()
    assert store.load(KEY).messages == (USER, DONE)
    timer.join()
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(SessionStorageFailed, match="locked"):
        store.load(KEY)
    writer.close()


def said(word, number=0):
    return Message("user", (TextBlock(f"{word} {number} " + "x" * 1000),))


@pytest.mark.parametrize("way", ["deleted", "expired", "evicted"])
def test_nothing_is_left(open_store, path, monkeypatch, way):
    """What is gone is gone from the file and its journal, whatever the way, and other workers do not keep it there."""
    store, other = open_store(0.5 if way == "expired" else 60.0), open_store()
    monkeypatch.setattr(sql, "PURGE_SECONDS", 0.0)
    store.save(SessionName("", "a"), None, "SYSTEMWORD", (said("SECRETWORD"), *(said("more", n) for n in range(200))))
    other.load(SessionName("", "a"))
    assert b"SECRETWORD" in b"".join(file.read_bytes() for file in path.parent.iterdir())
    if way == "deleted":
        assert store.delete(SessionName("", "a"))
    elif way == "expired":
        time.sleep(0.6)
        store.save(SessionName("", "b"), None, "", (said("b"),))
    else:
        monkeypatch.setattr(sql, "MAX_OWNER_BYTES", 2000)
        store.save(SessionName("", "b"), None, "", (said("b"),))
    data = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"SECRETWORD" not in data
    assert b"SYSTEMWORD" not in data
    assert path.stat().st_size < 100_000


def test_an_older_file(open_store, path):
    """A file of the version before begins anew, and nothing of it stays on the disk."""
    with sqlite3.connect(path) as db:
        db.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE sessions (
                owner TEXT, id TEXT, system TEXT, revision TEXT, created REAL, used REAL, PRIMARY KEY (owner, id));
            CREATE TABLE turns (
                owner TEXT, id TEXT, position INTEGER, turn BLOB, PRIMARY KEY (owner, id, position)) WITHOUT ROWID;
            CREATE TABLE queue (ticket INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT, id TEXT, pid INTEGER, began REAL);
            PRAGMA user_version = 1;
            """
        )
        db.execute("INSERT INTO turns VALUES ('', 's', 0, ?)", ("SECRETWORD" * 20_000,))
    db.close()
    store = open_store()
    assert store.load(KEY) is None
    assert store.save(KEY, None, "", (USER, DONE))
    assert open_store().load(KEY).messages == (USER, DONE)
    store.delete(KEY)
    assert b"SECRETWORD" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert path.stat().st_size < 100_000
    assert list(path.parent.glob("*.damaged-*")) == []
