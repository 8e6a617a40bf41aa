"""Shares of the plan's windows: by the list price of what went through the login that they belong to."""

from __future__ import annotations

import pytest
from fake_backend import FakeBackend

from app.backend import Window
from app.ledger.entry import Spent
from app.ledger.shares import last_known, used
from app.ledger.sums import Sums
from app.ledger.windows import FILE, FileWindows, Windows

NOW = 1_790_000_000.0
RESET = NOW + 3600.0


@pytest.fixture
def sums():
    return Sums()


@pytest.fixture
def open_windows(sums, tmp_path):
    """Give what another server knows that has begun, for a login."""

    def make(login=""):
        windows = Windows(FakeBackend(), sums.since, FileWindows(tmp_path / FILE), lambda: login)
        windows.keep()
        return windows

    return make


def window(percent, resets_at=RESET):
    return Window(percent, resets_at, "allowed", NOW)


def test_another_start(sums, open_windows):
    """Another server goes on from the figure that the first one began with, and the console tells the same."""
    first = open_windows()
    assert used(sums.since, first, "ann", "five_hour", window(40.0)) == 0
    sums.add("ann", NOW - 60, Spent(dollars=1.0))
    sums.add("bob", NOW - 60, Spent(dollars=3.0))
    first.keep()
    later = open_windows()
    assert used(sums.since, later, "ann", "five_hour", window(60.0)) == pytest.approx(0.05)
    later.keep()
    known = open_windows().known
    assert last_known(sums.since, known, "ann", "five_hour", NOW) == (pytest.approx(0.05), RESET)
    assert last_known(sums.since, known, "ann", "five_hour", RESET) is None
    assert last_known(sums.since, known, "ann", "seven_day", NOW) is None
    assert used(sums.since, later, "ann", "five_hour", window(1.0, RESET + 18000)) == 0


def test_several_logins(sums, open_windows):
    """What went through another login, or one that was there before, is no share of this one's window."""
    mine, other = open_windows("mine"), open_windows("other")
    for windows in (mine, other):
        assert used(sums.since, windows, "ann", "five_hour", window(40.0)) == 0
    sums.add("ann", NOW - 60, Spent(dollars=1.0), "mine")
    sums.add("bob", NOW - 60, Spent(dollars=1.0), "mine")
    sums.add("ann", NOW - 60, Spent(dollars=9.0), "other")
    assert used(sums.since, mine, "ann", "five_hour", window(60.0)) == pytest.approx(0.1)
    assert used(sums.since, other, "ann", "five_hour", window(44.0)) == pytest.approx(0.04)
    mine.keep()
    other.keep()
    assert last_known(sums.since, open_windows().known, "ann", "five_hour", NOW).used == pytest.approx(0.1)


def test_only_in_memory(sums):
    """Shares are estimated where nothing can be kept, too."""
    sums.add("ann", NOW - 60, Spent(dollars=1.0))
    windows = Windows(FakeBackend(), sums.since)
    assert used(sums.since, windows, "ann", "five_hour", window(40.0)) == pytest.approx(0.4)
