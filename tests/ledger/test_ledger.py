"""Entries are kept, once each, over restarts and workers, and nothing that befalls the database harms a request."""

from __future__ import annotations

import contextlib
import logging
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from server import until

from app.backend import Correction
from app.events import Usage
from app.ledger import ledger as module
from app.ledger import sql
from app.ledger.entry import Entry, Spent
from app.ledger.ledger import Ledger
from app.ledger.sqlite import SqliteLedger
from app.records.record import RequestSummary

DAY = 86400.0
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def path(tmp_path):
    return tmp_path / "usage.db"


@pytest.fixture
def open_ledger(path):
    """Give a function that opens a ledger on the same file, as another worker does."""
    opened = []

    def make(**more):
        opened.append(Ledger(SqliteLedger(path), **{"row_days": 30, "day_days": 730, **more}))
        opened[-1].open()
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


def entry(number=0, owner="ann.1", at=None, **more):
    fields = {"input_tokens": 10, "output_tokens": 1, "dollars": 0.25, "model": "claude-sonnet-5", "client": "curl"}
    return Entry(request=f"req_{number}", at=at or time.time(), owner=owner, key=owner[:3], **{**fields, **more})


def rows(path, query="SELECT count(*) FROM turns"):
    db = sqlite3.connect(path)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def written(path, number):
    with contextlib.suppress(sqlite3.OperationalError):  # there may be no table yet
        return path.exists() and rows(path)[0][0] == number
    return False


def test_counts_at_once(open_ledger, path):
    """An entry counts the moment it is told, and is in the file, the owner's alone, moments later."""
    ledger, began = open_ledger(), time.time()
    for number in range(3):
        ledger.note(entry(number))
    assert ledger.spent("ann.1", began - 1) == Spent(3, 30, 3, dollars=0.75)
    until(lambda: written(path, 3), 5, "rows")
    assert ledger.spent("bob.1", began - 1) == Spent()
    assert ledger.spent(None, began - 1).requests == 3
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_over_restarts(open_ledger):
    """What was spent is known after a restart, exactly, older turns included as far back as asked."""
    first, now = open_ledger(), time.time()
    first.note(entry(1, at=now - 3 * DAY))
    first.note(entry(2, at=now - 10))
    first.close()
    second = open_ledger()
    assert second.spent("ann.1", now - 60) == Spent(1, 10, 1, dollars=0.25)
    assert second.spent("ann.1", now - 7 * DAY) == Spent(2, 20, 2, dollars=0.5)
    second.note(entry(3))
    second.close()
    assert open_ledger().spent("ann.1", now - 7 * DAY).requests == 3


def test_two_workers(open_ledger):
    """Each worker counts what the other has written within moments, and none counts its own twice."""
    one, two, began = open_ledger(), open_ledger(), time.time()
    for number in range(20):
        (one if number % 3 else two).note(entry(number))
    for ledger in (one, two):
        until(lambda ledger=ledger: ledger.spent("ann.1", began - 1).requests == 20, 10, "the other's")
    time.sleep(1.2)  # another look counts nothing again
    assert [ledger.spent("ann.1", began - 1) for ledger in (one, two)] == [Spent(20, 200, 20, dollars=5.0)] * 2


def test_days(open_ledger, path):
    """Sums by day, key, model and program are those of the rows; a name given again is another key."""
    ledger, now = open_ledger(), time.time()
    for owner in ("ann.1", "ann.2"):
        for model in ("claude-sonnet-5", "claude-haiku-5"):
            ledger.note(entry(owner=owner, model=model, at=now))
            ledger.note(entry(owner=owner, model=model, at=now, code="overloaded", unpriced=1, dollars=0))
    ledger.close()
    found = rows(path, "SELECT owner, key, model, requests, failed, input_tokens, dollars, unpriced FROM days")
    assert len(found) == 4
    assert all(row[1] == "ann" and row[3:] == (2, 1, 20, 0.25, 1) for row in found)
    assert rows(path, "SELECT DISTINCT day FROM days") == [(time.strftime("%Y-%m-%d"),)]


def test_corrections(open_ledger, path):
    """What is found out later adds to the sums, and is no request."""
    ledger, began = open_ledger(), time.time()
    ledger.note(entry(1, dollars=0, unpriced=1))
    ledger.note(Entry(request="req_1", at=time.time(), owner="ann.1", requests=0, dollars=0.125, unpriced=-1))
    assert ledger.spent("ann.1", began - 1) == Spent(1, 10, 1, dollars=0.125)
    ledger.close()
    assert rows(path, "SELECT sum(requests), sum(dollars), sum(unpriced) FROM days") == [(1, 0.125, 0)]


def test_a_correction_after_midnight(open_ledger, path):
    """What is found out later counts when the turn did, whatever sleep or a set clock did to its length."""
    ledger, ended = open_ledger(), time.time() - 2 * DAY
    turn = {"id": "req_1", "at": ended - DAY, "ms": 1000, "ended_at": ended, "model": "claude-sonnet-5", "unpriced": 1}
    summary = RequestSummary(**turn, route="/v1/chat/completions", turn=True)
    ledger.observe(summary)
    ledger.amend(summary, Correction(Usage(), 0.125, priced=True))
    ledger.close()
    day = time.strftime("%Y-%m-%d", time.localtime(ended))
    assert rows(path, "SELECT day, requests, dollars, unpriced FROM days") == [(day, 1, 0.125, 0)]


def test_many_programs(open_ledger, path, monkeypatch):
    """Programs that make up names do not make the sums grow."""
    monkeypatch.setattr(sql, "MAX_CLIENTS", 5)
    ledger = open_ledger()
    for number in range(50):
        ledger.note(entry(number, client=f"program {number}"))
    ledger.close()
    counts = dict(rows(path, "SELECT client, requests FROM days"))
    assert len(counts) == 6
    assert counts["other"] == 45


def test_only_turns(open_ledger, path):
    """A request that never became a turn is no row; a turn that failed is one, with its status."""
    ledger, began = open_ledger(), time.time()
    common = {"id": "req_1", "at": began, "route": "/v1/chat/completions", "owner": "ann.1", "key": "ann"}
    ledger.observe(RequestSummary(**common, turn=False, status=400, code="invalid_request"))
    assert ledger.spent(None, 0) == Spent()
    ledger.observe(RequestSummary(**common, turn=True, status=429, code="rate_limit_exceeded", ms=7))
    query = "SELECT request, owner, key, status, code, ms, requests, unpriced FROM turns"
    ledger.close()
    assert rows(path, query) == [("req_1", "ann.1", "ann", 429, "rate_limit_exceeded", 7, 1, 0)]


def test_kept_for_so_long(open_ledger, path, monkeypatch):
    """Rows and sums by day go when they are too old, in small steps, and the file gives their place back."""
    monkeypatch.setattr(module, "MAX_REMOVED", 100)
    ledger, now = open_ledger(row_days=30, day_days=365), time.time()
    for number in range(5000):
        ledger.note(entry(number, at=now - 31 * DAY, route="/v1/chat/completions" * 5))
    ledger.note(entry(5000, at=now - 366 * DAY))
    ledger.note(entry(5001, at=now - 29 * DAY))
    ledger.close()
    before = path.stat().st_size
    again = open_ledger(row_days=30, day_days=365)
    until(lambda: rows(path)[0][0] == 1 and path.stat().st_size < before / 3, 20, "shrunk file")
    assert rows(path, "SELECT sum(requests) FROM days") == [(5001,)]
    again.close()


def test_a_week_over_restarts(open_ledger, path, monkeypatch):
    """What was used this week counts at the next start, for however few days rows are to be kept."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    ledger, now = open_ledger(row_days=1), time.time()
    ledger.note(entry(1, at=now - 6 * DAY))
    ledger.note(entry(2, at=now - 9 * DAY))
    ledger.close()
    again = open_ledger(row_days=1)
    until(lambda: rows(path) == [(1,)])
    again.close()
    assert open_ledger(row_days=1).spent("ann.1", now - 7 * DAY).tokens == 11


def test_much_to_remove(open_ledger, path, monkeypatch):
    """However long it takes to remove what is too old, turns are written meanwhile, and others' are heard of."""
    monkeypatch.setattr(module, "MAX_REMOVED", 1)
    other = open_ledger()
    for number in range(500):
        other.note(entry(number, at=time.time() - 40 * DAY))
    other.close()
    tidied = open_ledger(row_days=30)
    until(lambda: rows(path)[0][0] < 490)
    tidied.note(entry(501))
    another = open_ledger(row_days=3650)
    another.note(entry(502))
    until(lambda: rows(path, "SELECT count(*) FROM turns WHERE request IN ('req_501', 'req_502')") == [(2,)])
    until(lambda: tidied.spent(None, time.time() - 60).requests == 2)
    assert rows(path)[0][0] > 50
    tidied.close()
    another.close()


def test_bounded_rows(open_ledger, path, monkeypatch):
    """However many turns there are, so many rows are kept."""
    monkeypatch.setattr(SqliteLedger, "MOST", 50)
    ledger = open_ledger()
    for number in range(200):
        ledger.note(entry(number))
    ledger.close()
    open_ledger()
    until(lambda: written(path, 50), 10, "fewer rows")
    assert rows(path, "SELECT min(number), max(number) FROM turns") == [(151, 200)]


def test_full_disk(open_ledger, path, caplog):
    """Where nothing can be written, it is said once, turns count all the same, and are written when there is room."""
    failures, began = [], time.time()
    ledger = open_ledger(failed=lambda: failures.append(1))
    ledger.note(entry(0))
    until(lambda: written(path, 1), 10, "first row")
    pages = rows(path, "PRAGMA page_count")[0][0]
    ledger._store._database._connection.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(1, 2000):
        ledger.note(entry(number, route="x" * 200))
    until(lambda: len(failures) > 1, 10, "failures")
    assert ledger.spent("ann.1", began - 1).requests == 2000
    ledger._store._database._connection.execute("PRAGMA max_page_count = 1000000")
    until(lambda: written(path, 2000), 10, "all rows")
    assert rows(path, "SELECT count(DISTINCT request) FROM turns") == [(2000,)]
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "cannot be kept" in said[0]
    assert "full" in said[0]


def test_full_disk_for_long(open_ledger, tmp_path, monkeypatch):
    """What waits is bounded: the oldest entries are given up, and counted."""
    monkeypatch.setattr(module, "MAX_WAITING", 100)
    lost = []
    ledger = Ledger(SqliteLedger(tmp_path / "nowhere" / "usage.db"), 30, 730, lost=lost.append)
    for number in range(1000):
        ledger.note(entry(number))
    ledger.open()
    until(lambda: sum(lost) == 900, 10, "lost")
    (tmp_path / "nowhere").mkdir()
    until(lambda: written(tmp_path / "nowhere" / "usage.db", 100), 10, "the others")
    assert rows(tmp_path / "nowhere" / "usage.db", "SELECT max(request) FROM turns") == [("req_999",)]
    ledger.close()


def test_damage(open_ledger, path, caplog):
    """A damaged file is put aside, once, and the ledger begins anew with what comes next."""
    path.write_bytes(b"no database at all, " * 500)
    ledger, began = open_ledger(), time.time()
    ledger.note(entry(1))
    until(lambda: list(path.parent.glob("*.damaged-*")) and written(path, 1), 10, "a new file")
    assert ledger.spent("ann.1", began - 1).requests == 1
    assert sum("begins anew" in record.getMessage() for record in caplog.records) == 1


def test_another_writer(open_ledger, path):
    """A database that another program has locked for long delays nothing but the writing."""
    ledger = open_ledger()
    ledger.note(entry(1))
    until(lambda: written(path, 1), 10, "first row")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    for number in range(2, 100):
        ledger.note(entry(number))
    assert time.monotonic() - began < 1
    time.sleep(0.3)
    assert written(path, 1)
    writer.execute("COMMIT")
    writer.close()
    until(lambda: written(path, 99), 15, "all rows")


def test_killed(path):
    """Of a process that is killed all is there but what it told last, and nothing twice."""
    code = f"""
import sys, time
from pathlib import Path
from app.ledger.ledger import Ledger
from app.ledger.sqlite import SqliteLedger
from app.ledger.entry import Entry
ledger = Ledger(SqliteLedger(Path({str(path)!r})), 30, 730)
ledger.open()
for number in range(1_000_000):
    ledger.note(Entry(request=str(number), at=time.time(), dollars=0.5))
    print(number, flush=True)
    time.sleep(0.002)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    told = [process.stdout.readline() for _ in range(300)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.read().splitlines()
    process.wait(10)
    process.stdout.close()
    kept = [int(request) for (request,) in rows(path, "SELECT request FROM turns ORDER BY number")]
    assert kept == list(range(len(kept)))
    assert len(kept) >= len(told) - 250  # a tenth of a second; the machine may be busy
    assert rows(path, "SELECT sum(requests), sum(dollars) FROM days") == [(len(kept), len(kept) / 2)]


def test_earlier_version(open_ledger, path):
    """A file that an earlier version wrote is brought forward: nothing of it is lost, and nothing counts twice."""
    now = time.time()
    db = sqlite3.connect(path)
    columns = [name for name in sql.COLUMNS if name != "login"]
    db.executescript(
        f"CREATE TABLE turns (number INTEGER PRIMARY KEY AUTOINCREMENT, writer TEXT NOT NULL, {', '.join(columns)});"
        "CREATE TABLE days (day TEXT, owner TEXT, client TEXT, model TEXT, key TEXT, requests INTEGER, failed INTEGER, "
        "input_tokens INTEGER, output_tokens INTEGER, cache_read_tokens INTEGER, cache_write_tokens INTEGER, "
        "dollars REAL, unpriced INTEGER, PRIMARY KEY (day, owner, client, model)) WITHOUT ROWID;"
        "PRAGMA user_version = 1"
    )
    row = {name: getattr(entry(at=now), name) for name in columns}
    insert = f"INSERT INTO turns (writer, {', '.join(columns)}) VALUES ({', '.join('?' * (len(columns) + 1))})"
    for writer in ("a", "a", "b"):
        db.execute(insert, (writer, *row.values()))
    db.commit()
    db.close()
    ledger = open_ledger()
    assert ledger.spent("ann.1", now - 60) == Spent(3, 30, 3, dollars=0.75)
    ledger.note(entry(4))
    ledger.close()
    assert rows(path, "SELECT count(*), count(DISTINCT writer || place) FROM turns") == [(4, 4)]
    assert not list(path.parent.glob("*.damaged-*"))
