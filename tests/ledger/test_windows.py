"""What was seen of the plan's windows outlives the server that saw it, for the login that it belongs to."""

from __future__ import annotations

import json
import threading
import time

import pytest
from fake_backend import FakeBackend

from app.backend import PlanStatus, Window
from app.ledger.entry import Spent
from app.ledger.sums import Sums
from app.ledger.windows import FILE, FileWindows, Place, Seen, Windows

RESET = time.time() + 3600.0


@pytest.fixture
def sums():
    return Sums()


def window(percent, resets_at=RESET, seen_at=100.0):
    return Window(percent, resets_at, "allowed", seen_at)


def backend(login=None, **windows):
    there = FakeBackend()
    there.tell(login=login, plan=PlanStatus(windows, []))
    return there


def windows_of(there, sums, store=None):
    return Windows(there, sums.since, store, lambda: there.login or "")


def test_another_start(sums, tmp_path):
    """A server knows after a restart what its login's windows were, and nothing of another login's."""
    store = FileWindows(tmp_path / FILE)
    first = windows_of(backend("ann", five_hour=window(40.0), seven_day_opus=window(3.0)), sums, store)
    first.open()
    first.close()
    again, other, unknown = backend("ann", five_hour=window(45.0)), backend("bob"), backend()
    for there in (again, other, unknown):
        windows_of(there, sums, store).keep()
    assert {name: seen.used_percent for name, seen in again.windows.items()} == {
        "five_hour": 45.0,
        "seven_day_opus": 3.0,
    }
    assert other.windows == unknown.windows == {}
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_once_the_login_is_known(sums, tmp_path):
    """Where the login is known later, so are its windows; and those of another one that takes its place."""
    store = FileWindows(tmp_path / FILE)
    for login, percent in (("ann", 40.0), ("bob", 7.0)):
        windows_of(backend(login, five_hour=window(percent)), sums, store).keep()
    there = backend()
    windows = windows_of(there, sums, store)
    windows.keep()
    assert there.windows == {}
    for login, percent in (("ann", 40.0), ("bob", 7.0)):
        there.tell(login=login, plan=PlanStatus({}, []))
        windows.keep()
        assert there.windows["five_hour"].used_percent == percent


def test_first_seen(sums, tmp_path):
    """The first figure of a window stays its first, whoever sees the next ones, until the window begins anew."""
    store = FileWindows(tmp_path / FILE)
    sums.add("ann", RESET - 7200, Spent(dollars=2.0), "l")
    sums.add("ann", RESET - 7200, Spent(dollars=4.0), "another")
    windows_of(backend("l", five_hour=window(40.0)), sums, store).keep()
    sums.add("ann", RESET - 7100, Spent(dollars=1.0), "l")
    two = windows_of(backend("l", five_hour=window(50.0, RESET + 30, 200.0)), sums, store)
    two.keep()
    assert two.known == {Place("l", "five_hour"): Seen(RESET + 30, 50.0, 40.0, 2.0, 200.0)}
    assert two.note("five_hour", window(1.0, RESET + 18000)).first_percent == 1.0


def test_two_at_the_same_moment(tmp_path, monkeypatch):
    """What two workers keep at the same moment is both kept."""
    stores = [FileWindows(tmp_path / FILE) for _ in range(2)]
    places = [Place("ann", "five_hour"), Place("ann", "seven_day")]
    read = FileWindows._read

    def slowly(store):
        found = read(store)
        time.sleep(0.1)
        return found

    monkeypatch.setattr(FileWindows, "_read", slowly)
    threads = [
        threading.Thread(target=store.merge, args=({place: Seen(RESET, 1.0, 1.0, 0.0)},))
        for store, place in zip(stores, places, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].merge({}).keys() == set(places)


@pytest.mark.parametrize("content", ["", "[]", '{"five_hour": 1}'])
def test_damaged_file(sums, tmp_path, content):
    """A file that cannot be read is as none, and is replaced."""
    (tmp_path / FILE).write_text(content)
    store = FileWindows(tmp_path / FILE)
    assert store.merge({}) == {}
    windows_of(backend("ann", five_hour=window(40.0)), sums, store).keep()
    assert [seen.percent for seen in store.merge({}).values()] == [40.0]


def test_earlier_file(sums, tmp_path):
    """What a version wrote that knew no logins is of the login that comes next."""
    known = {"resets_at": RESET, "percent": 40.0, "first_percent": 30.0, "first_dollars": 1.0}
    (tmp_path / FILE).write_text(json.dumps({"five_hour": known}))
    windows = windows_of(backend("ann"), sums, FileWindows(tmp_path / FILE))
    windows.open()
    assert windows.note("five_hour", window(50.0)).first_percent == 30.0
    windows.close()


def test_no_place(sums, tmp_path, caplog):
    """Where the file cannot be written that is said once, and windows are known all the same."""
    windows = windows_of(backend("ann", five_hour=window(40.0)), sums, FileWindows(tmp_path / "none" / FILE))
    windows.keep()
    windows.keep()
    assert windows.known[Place("ann", "five_hour")].percent == 40.0
    assert sum("not kept" in record.getMessage() for record in caplog.records) == 1
