"""What a store of the ledger promises, asked of both engines; and what becomes of use while PostgreSQL is not there."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest
from fake_backend import FakeBackend
from server import until

from app.backend import PlanStatus, Window
from app.errors import DatabaseAway
from app.ledger import ledger as module
from app.ledger import postgres as on_postgres
from app.ledger import sql
from app.ledger.entry import Entry, Spent
from app.ledger.ledger import Ledger
from app.ledger.postgres import PostgresLedger, PostgresWindows
from app.ledger.report import Since
from app.ledger.sqlite import SqliteLedger
from app.ledger.store import Mark
from app.ledger.windows import FILE, FileWindows, Place, Seen, Windows
from tests.postgres.reach import works

DAY = 86400.0
NOON = time.mktime((2026, 11, 26, 12, 0, 0, 0, 0, -1))


@pytest.fixture(params=["sqlite", "postgres"])
def open_store(request, tmp_path):
    """Open a store on the same ledger once more, as another server does."""
    opened = []
    connected = request.getfixturevalue("connect") if request.param == "postgres" else None

    def make(host="here"):
        if connected is not None:
            opened.append(PostgresLedger(connected(), host))
        else:
            opened.append(SqliteLedger(tmp_path / "usage.db"))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def open_ledger():
    """Open a ledger on a store."""
    opened = []

    def make(store, **more):
        opened.append(Ledger(store, 30, 730, **more))
        opened[-1].open()
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


def entry(at=NOON, owner="ann.1", **more):
    fields = {"model": "sonnet", "client": "curl", "input_tokens": 10, "output_tokens": 1, "dollars": 0.25}
    return Entry(request="req", at=at, owner=owner, key=owner[:3], **{**fields, **more})


def numbered(entries):
    return list(enumerate(entries, 1))


def parts(store, by, begin=NOON - 7 * DAY, owner=None):
    found = store.sums(by, Since(begin, time.strftime("%Y-%m-%d", time.localtime(begin))), owner)
    of_turns = store.sums(by, Since(begin), owner)
    assert of_turns == found
    return [(part.name, part.requests) for part in found]


def requests(store):
    return sum(part.requests for part in store.sums("key", Since(0, "1970-01-01")))


def test_sums(store):
    """Sums by key, model, day and program, of days and of turns alike; the dearest first, days in their order."""
    entries = [
        entry(NOON - DAY),
        entry(model="haiku", code="overloaded", status=503, dollars=0.125),
        entry(owner="bob.1", client="OpenAI/Python"),
        entry(owner="bob.2", code="client_gone", unpriced=1, dollars=0.0),
    ]
    store.write("here 1", numbered(entries))
    assert parts(store, "key") == [("ann", 2), ("bob", 1), ("bob", 1)]
    assert parts(store, "model") == [("sonnet", 3), ("haiku", 1)]
    assert parts(store, "day") == [("2026-11-25", 1), ("2026-11-26", 3)]
    assert parts(store, "client") == [("curl", 3), ("OpenAI/Python", 1)]
    assert parts(store, "key", owner="bob.2") == [("bob", 1)]
    first = store.sums("key", Since(0, "1970-01-01"))[0]
    assert (first.failed, first.input_tokens, first.dollars, first.unpriced) == (1, 20, 0.375, 0)
    assert all(type(figure) in {int, float} for figure in (first.requests, first.failed, first.dollars))
    assert store.sums("key", Since(NOON + DAY)) == []


def test_words(store):
    """What clients call themselves and their models is kept, whatever it is, and holds up nobody else's use."""
    store.write("here 1", numbered([entry(client="a\0b", asked="\0", code="x\0"), entry(client="日本 %s ? :at")]))
    assert requests(store) == 2
    assert "日本 %s ? :at" in [part.name for part in store.sums("client", Since(0, "1970-01-01"))]


def test_given_twice(open_store):
    """An entry that its writer gives again counts once, however its batches are cut; another writer's is another."""
    one, two = open_store(), open_store()
    entries = numbered([entry() for _ in range(10)])
    one.write("here 1", entries[:6])
    two.write("here 1", entries[3:])
    one.write("here 1", entries)
    assert parts(one, "key") == [("ann", 10)]
    one.write("here 2", entries)
    assert parts(one, "key") == [("ann", 20)]


def test_news(open_store):
    """Each hears once of what others have written, by owner, login and second, and of its own not at all."""
    one, two = open_store(), open_store()
    at = float(int(time.time()))
    assert one.news(Mark(), "here 1", at - 8 * DAY)[0] == []
    two.write("here 2", numbered([entry(at), entry(at), entry(at, login="l"), entry(at - 9 * DAY), entry(at, "bob.1")]))
    one.write("here 1", numbered([entry(at)]))
    news, mark = one.news(Mark(), "here 1", at - 8 * DAY)
    told = {(owner, login): (moment, spent) for owner, login, moment, spent in news}
    assert len(news) == len(told) == 3
    assert told["ann.1", ""] == (at, Spent(2, 20, 2, dollars=0.5))
    assert told["ann.1", "l"] == told["bob.1", ""] == (at, Spent(1, 10, 1, dollars=0.25))
    assert one.news(mark, "here 1", at - 8 * DAY) == ([], mark)
    two.write("here 2", [(6, entry(at - 9 * DAY))])
    news, mark = one.news(mark, "here 1", at - 8 * DAY)
    assert news == []
    assert one.expire((0.0, 0), 0.0, 100) == 0
    assert one.expire((at - 8 * DAY, 0), 0.0, 100) == 2  # the last one among them
    assert one.news(mark, "here 1", at - 8 * DAY)[0] == []
    assert one.expire((at + 1, 0), 0.0, 100) == 5
    assert one.news(mark, "here 1", at - 8 * DAY)[0] == []
    two.write("here 2", [(7, entry(at))])
    assert [spent.requests for *_, spent in one.news(mark, "here 1", at - 8 * DAY)[0]] == [1]


def test_nothing_is_missed(open_store):
    """Whoever reads while several write hears of every entry, once; the days' sums are those of all."""
    at, each, writers = float(int(time.time())), 60, 4
    stores = [open_store() for _ in range(writers)]
    reader, found, mark = open_store(), Counter(), Mark()
    failed = []

    def write(number):
        dice = random.Random(number)
        try:
            for place in range(1, each + 1):
                made = entry(at, f"ann.{dice.randrange(3)}", model=dice.choice("abc"))
                stores[number].write(f"here {number}", [(place, made)])
        except Exception as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        news, mark = reader.news(mark, "nobody", 0.0)
        found.update({owner: 0 for owner, *_ in news})
        for owner, _, _, spent in news:
            found[owner] += spent.requests
    for thread in threads:
        thread.join()
    for owner, _, _, spent in reader.news(mark, "nobody", 0.0)[0]:
        found[owner] += spent.requests
    assert failed == []
    assert found.total() == writers * each == requests(reader)


def test_programs(store, monkeypatch):
    """Programs that make up names do not make the sums grow."""
    monkeypatch.setattr(sql, "MAX_CLIENTS", 5)
    store.write("here 1", numbered([entry(client=f"program {number}") for number in range(50)]))
    counts = {part.name: part.requests for part in store.sums("client", Since(0, "1970-01-01"))}
    assert len(counts) == 6
    assert counts["other"] == 45


def test_expiry(store):
    """Turns and days that are too old go, so many at a time, and each of its own age."""
    store.write("here 1", numbered([entry(NOON - age * DAY) for age in (800, 40, 40, 40, 1)]))
    first = store.first_kept(NOON - 30 * DAY)
    assert [store.expire(first, NOON - 730 * DAY, 2) for _ in range(3)] == [3, 2, 0]
    store.wipe()
    assert [part.requests for part in store.sums("day", Since(0, "1970-01-01"))] == [3, 1]
    assert [part.requests for part in store.sums("day", Since(0))] == [1]


def test_bounded(store, monkeypatch):
    """However young, so many turns are kept."""
    monkeypatch.setattr(type(store), "MOST", 5)
    store.write("here 1", numbered([entry() for _ in range(20)]))
    first = store.first_kept(0.0)
    assert [store.expire(first, 0.0, 4) for _ in range(5)] == [4, 4, 4, 3, 0]
    assert [part.requests for part in store.sums("day", Since(0))] == [5]
    assert requests(store) == 20


def test_the_last_day(open_store):
    """Charts are of what this host has answered: the last turns, the last first, and no corrections."""
    store = open_store()
    moments = [entry(NOON + number, code=("", "x")[number % 2], ttft_ms=number or None) for number in range(5)]
    store.write(store.writer(), numbered([*moments, entry(NOON + 9, requests=0)]))
    assert [(point.at - NOON, point.failed, point.ttft_ms) for point in store.latest(NOON + 1, 3)] == [
        (4, False, 4), (3, True, 3), (2, False, 2),
    ]  # fmt: skip
    there = open_store("there")
    there.write(there.writer(), numbered([entry(NOON + 7)]))
    assert [point.at - NOON for point in store.latest(NOON, 1)] == [4 if isinstance(store, PostgresLedger) else 7]


def test_two_hosts(open_store, open_ledger, monkeypatch):
    """Each counts what the other has written within moments, and none counts its own twice."""
    one, two, began = open_ledger(open_store()), open_ledger(open_store("there")), time.time()
    for number in range(40):
        (one if number % 3 else two).note(entry(time.time(), login="l"))
    for ledger in (one, two):
        until(lambda ledger=ledger: ledger.spent("ann.1", began - 1).requests == 40, 10, "the other's")
    monkeypatch.setattr(on_postgres, "MAX_NEWS", 7)
    third = open_ledger(open_store())
    assert third.spent(None, began - 1) == Spent(40, 400, 40, dollars=10.0)
    assert [part.requests for part in third.read(lambda store: store.sums("key", Since(began - 1)))] == [40]


@pytest.fixture
def shared(connect):
    """A store in PostgreSQL."""
    return PostgresLedger(connect(), "here")


def test_lost_in_the_middle(shared, connect, monkeypatch, open_ledger):
    """A connection that is lost while a batch is written costs nothing: it is written again, and whole."""
    other, lost = connect(), []
    assert works(other)

    class Losing(sql.Clients):
        def __init__(self, db):
            super().__init__(db)
            if not lost:
                (pid,) = db.execute("SELECT pg_backend_pid()").fetchone()
                lost.append(other.do(lambda there: there.execute("SELECT pg_terminate_backend(?)", (pid,)).fetchone()))

    monkeypatch.setattr(on_postgres, "Clients", Losing)
    ledger = open_ledger(shared)
    for _ in range(5):
        ledger.note(entry())
    until(lambda: lost and requests(shared) == 5, 15, "all entries")


def test_lost_at_the_end(shared, open_ledger, monkeypatch):
    """Nobody knows whether a batch was taken when the connection was lost at its end: it counts once all the same."""
    write, lost = shared.write, []

    def written_but_lost(writer, entries):
        write(writer, entries)
        if len(lost) < 2:
            lost.append(len(entries))
            raise DatabaseAway("lost")

    monkeypatch.setattr(shared, "write", written_but_lost)
    ledger = open_ledger(shared)
    for _ in range(5):
        ledger.note(entry())
    until(lambda: len(lost) == 2, 15, "two losses")
    ledger.note(entry())
    until(lambda: requests(shared) >= 6, 15, "the last")
    assert requests(shared) == 6


def test_away(shared, connect, engine, open_ledger, monkeypatch):
    """While the database is away turns count here, wait within a bound, and are written when it is back."""
    monkeypatch.setattr(module, "MAX_WAITING", 100)
    lost, began = [], time.time()
    ledger = open_ledger(shared, lost=lost.append)
    other = PostgresLedger(connect(), "there")
    ledger.note(entry(began))
    until(lambda: requests(shared) == 1, 10, "the first")
    engine.stop()
    try:
        until(lambda: shared._database.away is not None, 20)
        told = time.monotonic()
        for _ in range(150):
            ledger.note(entry(began))
        assert ledger.spent("ann.1", began - 1).requests == 151
        assert time.monotonic() - told < 2
        with pytest.raises(DatabaseAway):
            ledger.read(lambda store: store.sums("key", Since(began - 1)))
        until(lambda: sum(lost) == 50, 10, "those given up")
    finally:
        engine.start()
    until(lambda: works(other._database) and requests(other) == 101, 30, "the others")


def test_away_at_the_start(connect, engine, open_ledger):
    """A ledger that begins without its database knows what was spent soon after that is there."""
    first = PostgresLedger(connect(), "here")
    first.write("here 1", numbered([entry(time.time())]))
    engine.stop()
    try:
        ledger = open_ledger(PostgresLedger(connect(), "there"))
        assert ledger.spent("ann.1", 0) == Spent()
    finally:
        engine.start()
    until(lambda: ledger.spent("ann.1", time.time() - 3600).requests == 1, 30, "what was spent")


@pytest.fixture(params=["file", "postgres"])
def open_windows(request, tmp_path):
    """Open a store of windows once more, as another server does."""
    if request.param == "file":
        return lambda: FileWindows(tmp_path / FILE)
    connected = request.getfixturevalue("connect")
    return lambda: PostgresWindows(connected())


def test_windows(open_windows):
    """The first figure of a window stays, the last one counts, for each login, whoever has seen them."""
    one, two = open_windows(), open_windows()
    assert one.merge({}) == {}
    place, other = Place("ann", "five_hour"), Place("bob", "five_hour")
    one.merge({place: Seen(NOON, 40.0, 40.0, 1.0, 100.0)})
    both = two.merge({place: Seen(NOON + 1, 60.0, 50.0, 2.0, 200.0), other: Seen(NOON, 3.0, 3.0, 0.0, 50.0)})
    assert both == {place: Seen(NOON + 1, 60.0, 40.0, 1.0, 200.0), other: Seen(NOON, 3.0, 3.0, 0.0, 50.0)}
    late = one.merge({place: Seen(NOON, 45.0, 40.0, 1.0, 150.0)})
    assert late == both == open_windows().merge({})
    anew = Seen(NOON + 18000, 1.0, 1.0, 0.0, 300.0)
    assert two.merge({place: anew})[place] == one.merge({})[place] == anew


def test_windows_while_it_is_away(connect, engine):
    """What was seen meanwhile is kept when the database is back."""
    there, database = FakeBackend(), connect()
    there.tell(login="ann", plan=PlanStatus({"five_hour": Window(40.0, time.time() + 3600, None, 100.0)}, []))
    windows = Windows(there, lambda *_: Spent(), PostgresWindows(database), lambda: "ann")
    assert works(database)
    engine.stop()
    try:
        until(lambda: database.away is not None, 20)
        windows.open()
    finally:
        engine.start()
    other = PostgresWindows(connect())
    until(lambda: works(other._database) and Place("ann", "five_hour") in other.merge({}), 30, "the window")
    windows.close()
