"""Sums for people: since a day from the days' sums, since a moment from the turns, and both the same."""

from __future__ import annotations

import time

import pytest

from app.ledger import report
from app.ledger.entry import Entry
from app.ledger.ledger import Ledger
from app.ledger.report import Since, Sum
from app.ledger.sqlite import SqliteLedger

NOON = time.mktime((2026, 11, 26, 12, 0, 0, 0, 0, -1))
DAY = 86400.0


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(SqliteLedger(tmp_path / "usage.db"), 30, 730)
    yield ledger
    ledger.close()


def entry(at, owner="ann.1", model="sonnet", client="curl", **more):
    return Entry(
        request="r", at=at, owner=owner, key=owner[:3], model=model, client=client, input_tokens=10, dollars=0.5, **more
    )


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        ("1d", Since(NOON - DAY / 2, "2026-11-26")),
        ("7d", Since(NOON - 6.5 * DAY, "2026-11-20")),
        ("2w", Since(NOON - 13.5 * DAY, "2026-11-13")),
        ("5h", Since(NOON - 5 * 3600)),
        ("90min", Since(NOON - 90 * 60)),
        ("2026-11-01", Since(NOON - 25.5 * DAY, "2026-11-01")),
    ],
)
def test_periods(text, begin):
    """Whole days include today; hours and minutes are counted back from now; a date is its beginning."""
    assert report.since(text, NOON) == begin


@pytest.mark.parametrize("text", ["", "0d", "7", "d", "-1d", "7 d", "1y", "2026-13-01", "2026-02-30", "99999d", "7d7d"])
def test_no_periods(text):
    """What is no period is refused, with what one is."""
    with pytest.raises(ValueError, match=r"period|day|data"):
        report.since(text, NOON)


def test_groups(ledger):
    """Sums by key, model, day and program; the most used first, days in their order; each owner may have its own."""
    ledger.note(entry(NOON - DAY))
    ledger.note(entry(NOON, model="haiku", code="overloaded"))
    ledger.note(entry(NOON, owner="bob.1", client="OpenAI/Python"))
    ledger.note(entry(NOON, owner="bob.2", code="client_gone", unpriced=1))
    ledger.note(entry(NOON - 40 * DAY))

    def names(by, since="7d", owner=None):
        found = ledger.read(lambda store: store.sums(by, report.since(since, NOON), owner))
        return [(part.name, part.requests) for part in found]

    assert names("key") == [("ann", 2), ("bob", 1), ("bob", 1)]
    assert names("model") == [("sonnet", 3), ("haiku", 1)]
    assert names("day") == [("2026-11-25", 1), ("2026-11-26", 3)]
    assert names("client") == [("curl", 3), ("OpenAI/Python", 1)]
    assert names("key", owner="bob.2") == [("bob", 1)]
    assert names("key", since="6w") == [("ann", 3), ("bob", 1), ("bob", 1)]


@pytest.mark.parametrize("by", report.GROUPS)
def test_days_and_turns(ledger, by):
    """Both tables give the same sums."""
    for number in range(50):
        code = ("", "overloaded", "client_gone")[number % 3]
        ledger.note(entry(NOON - number * 3600, f"ann.{number % 2}", ("a", "b", "c")[number % 3], code=code))
    midnight = report.since("2d", NOON)
    of_days = ledger.read(lambda store: store.sums(by, midnight))
    of_turns = ledger.read(lambda store: store.sums(by, Since(midnight.at)))
    assert of_days == of_turns
    assert report.total(of_days).requests == 37
    assert report.total(of_days).failed == sum(number % 3 == 1 for number in range(37))


def test_total():
    """Nothing adds up to nothing."""
    assert report.total([]) == Sum("")
