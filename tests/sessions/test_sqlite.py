"""Transcripts that stay, for a while, for one owner, and are whole or not there."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest

from app.conversation import (
    Base64Source,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    TextSource,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
)
from app.errors import SessionStorageFailed
from app.sessions import database
from app.sessions import sqlite as sqlite_module
from app.sessions.sqlite import SqliteStore
from app.sessions.store import Key

KEY = Key("", "a session")
USER = Turn("user", (TextBlock("größe 🙂"), ImageBlock(Base64Source("image/png", "aGk="))))
CALL = Turn("assistant", (TextBlock("Let me look."), ToolUseBlock("toolu01", "look", {"at": [1, {"b": None}]})))
RESULT = Turn("user", (ToolResultBlock("toolu01", (TextBlock("seen"), DocumentBlock(TextSource("x"), "t"))),))
DONE = Turn("assistant", (TextBlock("Done."),))


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


def test_there_and_back(store, open_store):
    """A transcript comes back as it was, also in another worker; what is added later is added."""
    assert store.load(KEY) is None
    assert store.save(KEY, None, "Be kind.", (USER, CALL))
    loaded = open_store().load(KEY)
    assert (loaded.system, loaded.turns) == ("Be kind.", (USER, CALL))
    assert store.save(KEY, loaded, "Be brief.", (*loaded.turns, RESULT, DONE))
    again = store.load(KEY)
    assert (again.system, again.turns) == ("Be brief.", (USER, CALL, RESULT, DONE))
    assert again.revision != loaded.revision
    assert again.created == loaded.created


def test_another_history_replaces_it(store):
    """What differs from some turn on is replaced from there on, and nothing older is left behind it."""
    store.save(KEY, None, "", (USER, CALL, RESULT, DONE))
    assert store.save(KEY, store.load(KEY), "", (USER, DONE))
    assert store.load(KEY).turns == (USER, DONE)


def test_owners_and_ids(store):
    """Sessions of one name are apart for each owner; ids may hold anything."""
    keys = [Key("ann", "s"), Key("bob", "s"), Key("ann", "' OR 1=1 --"), Key("ann", "ü/\n%")]
    for number, key in enumerate(keys):
        assert store.save(key, None, str(number), (USER, DONE))
    assert [store.load(key).system for key in keys] == ["0", "1", "2", "3"]
    assert {summary.id for summary in store.summaries("ann")} == {"s", "' OR 1=1 --", "ü/\n%"}
    assert store.delete(keys[0])
    assert store.load(keys[0]) is None
    assert store.load(keys[1]).turns == (USER, DONE)
    assert not store.delete(keys[0])


def test_summaries(store):
    """A list tells each session's turns and times, the last used first."""
    began = time.time()
    for name in ("one", "two"):
        store.save(Key("", name), None, "", (USER, DONE))
    store.load(Key("", "one"))
    one, two = store.summaries("")
    assert (one.id, one.turns, two.id) == ("one", 2, "two")
    assert began <= one.created <= one.used <= time.time()
    assert one.expires == pytest.approx(one.used + 60)


def test_deleted_or_changed_meanwhile(store, open_store):
    """A turn whose session was deleted, made or changed while it ran does not bring anything back."""
    store.save(KEY, None, "", (USER, CALL))
    before = store.load(KEY)
    store.delete(KEY)
    assert not store.save(KEY, before, "", (USER, CALL, RESULT, DONE))
    assert store.load(KEY) is None
    assert store.save(KEY, None, "", (USER, DONE))
    assert not open_store().save(KEY, None, "", (RESULT, DONE))
    assert not store.save(KEY, before, "", (USER, CALL, RESULT, DONE))
    assert store.load(KEY).turns == (USER, DONE)


def test_expiry(open_store):
    """A session lives so long after its last use, and is gone from the file soon after."""
    store = open_store(0.3)
    for name in ("used", "idle"):
        store.save(Key("", name), None, "", (USER, DONE))
    for _ in range(4):
        time.sleep(0.1)
        assert store.load(Key("", "used")) is not None
    assert store.load(Key("", "idle")) is None
    assert [summary.id for summary in store.summaries("")] == ["used"]
    assert store.save(Key("", "idle"), None, "", (USER,))
    assert store.load(Key("", "idle")).turns == (USER,)


def test_nobody_else_may_read_it(store, path):
    """The file, its journal included, is the owner's alone, also where another mask is set."""
    before = os.umask(0)
    try:
        store.save(KEY, None, "", (USER, DONE))
    finally:
        os.umask(before)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_queue(store, open_store):
    """Tickets of one session come first in the order they were drawn, over all workers; other sessions do not wait."""
    other = open_store()
    first, second, third = store.join(KEY), other.join(KEY), store.join(KEY)
    elsewhere = store.join(Key("", "another"))
    assert [store.is_first(ticket) for ticket in (first, second, third, elsewhere)] == [True, False, False, True]
    other.leave(second)
    store.leave(first)
    store.leave(first)
    assert other.is_first(third)


def test_a_dead_worker_holds_up_nobody(store, path):
    """The ticket of a worker that was killed does not count."""
    code = f"""
import time
from pathlib import Path
from app.sessions.sqlite import SqliteStore
from app.sessions.store import Key
SqliteStore(Path({str(path)!r}), 60).join(Key("", "a session"))
print("in", flush=True)
time.sleep(60)
"""
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    worker.stdout.readline()
    ticket = store.join(KEY)
    assert not store.is_first(ticket)
    worker.kill()
    worker.wait(10)
    worker.stdout.close()
    assert store.is_first(ticket)


@pytest.mark.parametrize("damage", ["no database", "wrong version", "broken page", "broken turn"])
def test_damage(open_store, path, damage):
    """A damaged file costs one request a clear error, is put aside, and sessions begin anew."""
    store = open_store()
    for number in range(50):
        store.save(Key("", str(number)), None, "x" * 1000, (USER, DONE))
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
        store.load(Key("", "7"))
    assert store.load(Key("", "7")) is None
    assert store.save(Key("", "7"), None, "", (USER, DONE))
    assert open_store().load(Key("", "7")).turns == (USER, DONE)
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_full_disk(store):
    """Where nothing more can be written, the error says so, and what was there stays readable and whole."""
    store.save(KEY, None, "", (USER, CALL))
    before = store.load(KEY)
    pages = store._database.do(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    store._database._connection.execute(f"PRAGMA max_page_count = {pages}")
    big = Turn("user", (TextBlock("x" * 100_000),))
    with pytest.raises(SessionStorageFailed, match="full"):
        store.save(KEY, before, "", (USER, CALL, big))
    assert store.load(KEY).turns == (USER, CALL)


def test_folder_that_is_gone(tmp_path):
    """A folder that does not exist is a clear error, not a crash."""
    with pytest.raises(SessionStorageFailed, match="No such file"):
        SqliteStore(tmp_path / "nowhere" / "sessions.db", 60).load(KEY)


def test_another_writer(store, open_store, path, monkeypatch):
    """A write waits for another worker's; one that never ends gives an error."""
    monkeypatch.setattr(database, "PATIENCE", 0.3)
    store.save(KEY, None, "", (USER, DONE))
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.1, lambda: writer.execute("COMMIT"))
    timer.start()
    assert store.load(KEY).turns == (USER, DONE)
    timer.join()
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(SessionStorageFailed, match="locked"):
        store.load(KEY)
    writer.close()


def said(word, number=0):
    return Turn("user", (TextBlock(f"{word} {number} " + "x" * 1000),))


def rows(store, table):
    return store._database.do(lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_shared_turns(store):
    """Conversations with the same beginning share its turns, each owner for itself, until the last of them goes."""
    turns = [said("a", number) for number in range(10)]
    for number in range(10):
        assert store.save(Key("ann", str(number)), None, "", tuple(turns[: number + 1]))
    assert rows(store, "nodes") == 10
    store.save(Key("bob", "0"), None, "", tuple(turns))
    assert rows(store, "nodes") == 20
    store.save(Key("ann", "branch"), None, "", (*turns[:5], said("b")))
    assert rows(store, "nodes") == 21
    for number in range(10):
        assert store.delete(Key("ann", str(number)))
    assert store.load(Key("ann", "branch")).turns == (*turns[:5], said("b"))
    assert rows(store, "nodes") == 16
    assert store.delete(Key("ann", "branch"))
    assert store.delete(Key("bob", "0"))
    assert (rows(store, "nodes"), rows(store, "owners")) == (0, 0)


def test_room_for_each_owner(store, monkeypatch):
    """An owner who has too much loses what was used longest ago; others lose nothing."""
    monkeypatch.setattr(sqlite_module, "MAX_OWNER_BYTES", 10_000)
    store.save(Key("bob", "old"), None, "", (said("b"),))
    for number in range(20):
        assert store.save(Key("ann", str(number)), None, "", (said("a", number),))
        store.load(Key("ann", "0"))
    kept = {summary.id for summary in store.summaries("ann")}
    assert {"0", "19"} <= kept
    assert 5 <= len(kept) <= 10
    assert "1" not in kept
    assert store.load(Key("bob", "old")) is not None


def test_room_for_all(store, monkeypatch):
    """Together the owners have a bound as well."""
    monkeypatch.setattr(sqlite_module, "MAX_BYTES", 10_000)
    for number in range(20):
        assert store.save(Key(f"owner {number}", "s"), None, "", (said("a", number),))
    assert store.load(Key("owner 0", "s")) is None
    assert store.load(Key("owner 19", "s")) is not None
    assert 5 <= rows(store, "sessions") <= 10


def test_one_that_is_too_large(store, monkeypatch):
    """What was asked for last is kept, however large it is."""
    monkeypatch.setattr(sqlite_module, "MAX_OWNER_BYTES", 100)
    for number in range(2):
        assert store.save(Key("", str(number)), None, "", (said("a", number),))
    assert [summary.id for summary in store.summaries("")] == ["1"]


@pytest.mark.parametrize("way", ["deleted", "expired", "evicted"])
def test_nothing_is_left(open_store, path, monkeypatch, way):
    """What is gone is gone from the file and its journal, whatever the way, and other workers do not keep it there."""
    store, other = open_store(0.5 if way == "expired" else 60.0), open_store()
    monkeypatch.setattr(sqlite_module, "PURGE", 0.0)
    store.save(Key("", "a"), None, "SYSTEMWORD", (said("SECRETWORD"), *(said("more", n) for n in range(200))))
    other.load(Key("", "a"))
    assert b"SECRETWORD" in b"".join(file.read_bytes() for file in path.parent.iterdir())
    if way == "deleted":
        assert store.delete(Key("", "a"))
    elif way == "expired":
        time.sleep(0.6)
        store.load(Key("", "b"))
    else:
        monkeypatch.setattr(sqlite_module, "MAX_OWNER_BYTES", 2000)
        store.save(Key("", "b"), None, "", (said("b"),))
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
    assert open_store().load(KEY).turns == (USER, DONE)
    store.delete(KEY)
    assert b"SECRETWORD" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert path.stat().st_size < 100_000
    assert list(path.parent.glob("*.damaged-*")) == []
