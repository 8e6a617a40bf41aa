"""Transcripts that stay, for a while, for one owner, and are whole or not there: the same with both engines."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from server import until

from app.conversation import (
    Message,
    TextBlock,
)
from app.errors import SessionBusy, SessionStorageFailed
from app.sessions import sql
from app.sessions.sqlite import SqliteStore
from app.sessions.store import SessionName
from tests.sessions.messages import CALL, DONE, KEY, RESULT, USER


def said(word, number=0):
    return Message("user", (TextBlock(f"{word} {number} " + "x" * 1000),))


def rows(store, table):
    return store._database.do(lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def unusable(*_, **__):
    raise SessionStorageFailed("The disk is full.")


def pass_by(store, seconds):
    """Let time pass, as far as sessions are concerned, which live for 60 seconds."""
    store._do(lambda db: db.execute("UPDATE sessions SET used = used - ?", (seconds,)))


def test_there_and_back(store, open_store):
    """A transcript comes back as it was, also in another worker; what is added later is added."""
    assert store.load(KEY) is None
    assert store.save(KEY, None, "Be kind.", (USER, CALL))
    loaded = open_store().load(KEY)
    assert (loaded.system, loaded.messages) == ("Be kind.", (USER, CALL))
    assert store.save(KEY, loaded, "Be brief.", (*loaded.messages, RESULT, DONE))
    again = store.load(KEY)
    assert (again.system, again.messages) == ("Be brief.", (USER, CALL, RESULT, DONE))
    assert again.revision != loaded.revision
    assert again.created == loaded.created


def test_another_history_replaces_it(store):
    """What differs from some message on is replaced from there on, and nothing older is left behind it."""
    store.save(KEY, None, "", (USER, CALL, RESULT, DONE))
    assert store.save(KEY, store.load(KEY), "", (USER, DONE))
    assert store.load(KEY).messages == (USER, DONE)


def test_owners_and_ids(store):
    """Sessions of one name are apart for each owner; ids may hold anything."""
    keys = [
        SessionName("ann", "s"),
        SessionName("bob", "s"),
        SessionName("ann", "' OR 1=1 --"),
        SessionName("ann", "ü/\n%"),
    ]
    for number, key in enumerate(keys):
        assert store.save(key, None, str(number), (USER, DONE))
    assert [store.load(key).system for key in keys] == ["0", "1", "2", "3"]
    assert {summary.id for summary in store.summaries("ann")} == {"s", "' OR 1=1 --", "ü/\n%"}
    assert store.delete(keys[0])
    assert store.load(keys[0]) is None
    assert store.load(keys[1]).messages == (USER, DONE)
    assert not store.delete(keys[0])


def test_summaries(store):
    """A list tells each session's messages and times, the last used first."""
    began = time.time()
    for name in ("one", "two"):
        store.save(SessionName("", name), None, "", (USER, DONE))
    store.load(SessionName("", "one"))
    one, two = store.summaries("")
    assert (one.id, one.messages, two.id) == ("one", 2, "two")
    assert began <= one.created <= one.used <= time.time()
    assert one.expires == pytest.approx(one.used + 60)


def test_deleted_or_changed_meanwhile(store, open_store):
    """A turn brings back no session that was deleted while it ran; what others made or changed stays, in words."""
    store.save(KEY, None, "", (USER, CALL))
    before = store.load(KEY)
    store.delete(KEY)
    assert not store.save(KEY, before, "", (USER, CALL, RESULT, DONE))
    assert store.load(KEY) is None
    assert store.save(KEY, None, "", (USER, DONE))
    with pytest.raises(SessionBusy, match="changed this session"):
        open_store().save(KEY, None, "", (RESULT, DONE))
    with pytest.raises(SessionBusy, match="changed this session"):
        store.save(KEY, before, "", (USER, CALL, RESULT, DONE))
    assert store.load(KEY).messages == (USER, DONE)


def test_expiry(store):
    """A session lives so long after its last use, and is gone soon after."""
    for name in ("used", "idle"):
        store.save(SessionName("", name), None, "", (USER, DONE))
    pass_by(store, 40)
    assert store.load(SessionName("", "used")) is not None
    pass_by(store, 40)
    assert store.load(SessionName("", "idle")) is None
    assert store.load(SessionName("", "used")) is not None
    assert [summary.id for summary in store.summaries("")] == ["used"]
    assert store.save(SessionName("", "idle"), None, "", (USER,))
    assert store.load(SessionName("", "idle")).messages == (USER,)


def test_queue(store, open_store):
    """Tickets of one session come first in the order they were drawn, over all workers; other sessions do not wait."""
    other = open_store()
    first, second, third = store.join(KEY), other.join(KEY), store.join(KEY)
    elsewhere = store.join(SessionName("", "another"))
    assert [store.is_first(ticket) for ticket in (first, second, third, elsewhere)] == [True, False, False, True]
    other.leave(second)
    store.leave(first)
    store.leave(first)
    assert other.is_first(third)


def test_a_place_that_cannot_be_given_back(store, open_store, monkeypatch):
    """Where a place cannot be given back its session is held up no longer than the store fails."""
    first, second = store.join(KEY), open_store().join(KEY)
    do = store._do
    monkeypatch.setattr(store, "_do", unusable)
    with pytest.raises(SessionStorageFailed):
        store.leave(first)
    monkeypatch.setattr(store, "_do", do)
    later = store.join(KEY)
    assert store.is_first(second)
    assert not store.is_first(later)


def test_a_place_that_is_given_back_slowly(store, monkeypatch):
    """While one gives a place back, however slowly, the looks of others do not do so as well."""
    first, second = store.join(KEY), store.join(SessionName("", "another"))
    give_back, began, go_on = store._give_back, threading.Event(), threading.Event()
    asked = []

    def slowly(ticket):
        asked.append(ticket)
        began.set()
        go_on.wait(5)
        give_back(ticket)

    monkeypatch.setattr(store, "_give_back", slowly)
    leaving = threading.Thread(target=store.leave, args=(first,))
    leaving.start()
    began.wait()
    assert store.is_first(second)
    go_on.set()
    leaving.join()
    assert store.is_first(second)
    assert asked == [first]


def test_shared_turns(store):
    """Conversations with the same beginning share its messages, each owner for itself, until the last of them goes."""
    messages = [said("a", number) for number in range(10)]
    for number in range(10):
        assert store.save(SessionName("ann", str(number)), None, "", tuple(messages[: number + 1]))
    assert rows(store, "nodes") == 10
    store.save(SessionName("bob", "0"), None, "", tuple(messages))
    assert rows(store, "nodes") == 20
    store.save(SessionName("ann", "branch"), None, "", (*messages[:5], said("b")))
    assert rows(store, "nodes") == 21
    for number in range(10):
        assert store.delete(SessionName("ann", str(number)))
    assert store.load(SessionName("ann", "branch")).messages == (*messages[:5], said("b"))
    assert rows(store, "nodes") == 16
    assert store.delete(SessionName("ann", "branch"))
    assert store.delete(SessionName("bob", "0"))
    assert (rows(store, "nodes"), rows(store, "owners")) == (0, 0)


def test_room_for_each_owner(store, monkeypatch):
    """An owner who has too much loses what was used longest ago; others lose nothing."""
    monkeypatch.setattr(sql, "MAX_OWNER_BYTES", 10_000)
    store.save(SessionName("bob", "old"), None, "", (said("b"),))
    for number in range(20):
        assert store.save(SessionName("ann", str(number)), None, "", (said("a", number),))
        store.load(SessionName("ann", "0"))
    kept = {summary.id for summary in store.summaries("ann")}
    assert {"0", "19"} <= kept
    assert 5 <= len(kept) <= 10
    assert "1" not in kept
    assert store.load(SessionName("bob", "old")) is not None


def test_room_for_all(store, monkeypatch):
    """Together the owners have a bound as well."""
    monkeypatch.setattr(sql, "MAX_BYTES", 10_000)
    for number in range(20):
        assert store.save(SessionName(f"owner {number}", "s"), None, "", (said("a", number),))
    assert store.load(SessionName("owner 0", "s")) is None
    assert store.load(SessionName("owner 19", "s")) is not None
    assert 5 <= rows(store, "sessions") <= 10


def test_one_that_is_too_large(store, monkeypatch):
    """What was asked for last is kept, however large it is."""
    monkeypatch.setattr(sql, "MAX_OWNER_BYTES", 100)
    for number in range(2):
        assert store.save(SessionName("", str(number)), None, "", (said("a", number),))
    assert [summary.id for summary in store.summaries("")] == ["1"]


HOLD = """
import sys
from pathlib import Path
from app.sessions.store import SessionName

if sys.argv[1] == "sqlite":
    from app.sessions.sqlite import SqliteStore
    store = SqliteStore(Path(sys.argv[2]), 60)
else:
    from app.postgres.database import Postgres
    from app.sessions.postgres import PostgresStore
    store = PostgresStore(Postgres(sys.argv[2]), 60)
ticket = store.join(SessionName("", "a session"))
assert store.is_first(ticket)
print("in", flush=True)
sys.stdin.read()
"""


def test_a_dead_server_holds_up_nobody(store, request, tmp_path):
    """The ticket of a server that was killed does not count."""
    sqlite = isinstance(store, SqliteStore)
    where = str(tmp_path / "sessions.db") if sqlite else request.getfixturevalue("url")
    argv = [sys.executable, "-c", HOLD, "sqlite" if sqlite else "postgres", where]
    holder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"in\n"
    ticket = store.join(KEY)
    assert not store.is_first(ticket)
    holder.kill()
    holder.communicate(timeout=10)
    until(lambda: store.is_first(ticket), 20, "the place of a server that is gone")


def test_at_the_same_time(open_store):
    """Saves, loads and deletions from all sides at once leave each session whole, and nothing behind at the end."""
    stores, beginning = [open_store() for _ in range(2)], [said("a", number) for number in range(5)]
    failures = []

    def work(number):
        store, key = stores[number % 2], SessionName("ann", str(number))
        try:
            for turn in range(4):
                before = store.load(key)
                messages = (*(before.messages if before else beginning), said(f"of {number}", turn))
                assert store.save(key, before, "", messages)
                other = SessionName("ann", f"{number} again")
                assert store.save(other, None, "", messages)
                assert store.delete(other)
        except Exception as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for number in range(6):
        messages = stores[0].load(SessionName("ann", str(number))).messages
        assert messages == (*beginning, *(said(f"of {number}", turn) for turn in range(4)))
    assert rows(stores[0], "nodes") == 5 + 6 * 4
    for number in range(6):
        assert stores[1].delete(SessionName("ann", str(number)))
    assert (rows(stores[0], "nodes"), rows(stores[0], "owners")) == (0, 0)


def test_expiry_is_done_in_parts(store, monkeypatch):
    """None that has expired is served; a few at a time are cleared away, at a turn's end and not at its beginning."""
    monkeypatch.setattr(sql, "MAX_PURGED", 3)
    monkeypatch.setattr(sql, "PURGE_SECONDS", 0.0)
    for number in range(7):
        store.save(SessionName("", str(number)), None, "", (said("a", number),))
    pass_by(store, 61)
    assert store.load(SessionName("", "0")) is None
    assert rows(store, "sessions") == 7
    assert not store.delete(SessionName("", "6"))
    assert store.save(KEY, None, "", (USER,))
    assert rows(store, "sessions") == 1 + 3
    assert store.save(KEY, store.load(KEY), "", (USER, DONE))
    assert [summary.id for summary in store.summaries("")] == [KEY.id]
    assert (rows(store, "sessions"), rows(store, "nodes")) == (1, 2)


@pytest.mark.parametrize("what", ["expired", "too much"])
def test_what_cannot_be_cleared_away(store, monkeypatch, what):
    """A turn enters its session although what is old cannot be dropped, which is tried again a while later."""
    monkeypatch.setattr(sql, "PURGE_SECONDS", 0.0)
    store.save(SessionName("", "old"), None, "", (said("a"),))
    if what == "expired":
        pass_by(store, 61)
    else:
        monkeypatch.setattr(sql, "MAX_OWNER_BYTES", 100)

    def half_of_it(db, this):
        db.execute("DELETE FROM sessions WHERE owner = ? AND id = ?", this)
        db.execute("SELECT * FROM no_table")

    dropping = store._drop
    with monkeypatch.context() as broken:
        broken.setattr(store, "_drop", lambda db, this: this[1] == store._text(KEY.id) or half_of_it(db, this))
        assert store.save(KEY, None, "", (USER, DONE))
    assert store.load(KEY).messages == (USER, DONE)
    assert rows(store, "sessions") == 2
    assert store._drop == dropping
    assert store.save(KEY, store.load(KEY), "", (USER, DONE, USER))
    assert rows(store, "sessions") == 1


def test_clearing_takes_no_time(store, monkeypatch):
    """Where much is to be dropped, a turn does a part of it, and the next ones go on."""
    monkeypatch.setattr(sql, "CLEAR_SECONDS", 0.0)
    monkeypatch.setattr(sql, "PURGE_SECONDS", 0.0)
    for number in range(4):
        store.save(SessionName("", str(number)), None, "", (said("a", number),))
    pass_by(store, 61)
    for left in (4, 3, 2, 1):
        assert store.save(KEY, store.load(KEY), "", (USER, DONE))
        assert rows(store, "sessions") == left


def test_words_of_any_kind(store):
    """What JSON may hold comes back: U+0000, and whatever is beyond the first plane, in ids, prompts and messages."""
    key, message = SessionName("", "a\0b\\🙂"), Message("user", (TextBlock("a\0b\\🙂"),))
    assert store.save(key, None, "\0🙂", (message,))
    loaded = store.load(key)
    assert (loaded.system, loaded.messages) == ("\0🙂", (message,))
    assert [summary.id for summary in store.summaries("")] == [key.id]
