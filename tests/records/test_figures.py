"""The figures of the charts: bounded, by owner, and of each range."""

from __future__ import annotations

import pytest

from app.records.figures import MAX_SAMPLES, RANGES, Figures, Point
from app.records.record import RequestSummary

NOW = 1_800_000_000.0


@pytest.fixture
def now():
    return [NOW]


@pytest.fixture
def figures(now):
    return Figures(lambda: now[0])


def test_bars(figures, now):
    """Turns are counted in a bar of each range, with the median of their first tokens; other requests are not."""
    for ttft, code in ((100, None), (900, None), (200, "client_gone"), (None, "overloaded")):
        figures.note(RequestSummary(id="x", at=1, route="/", turn=True, ttft_ms=ttft, code=code, cache_read_tokens=5))
    figures.note(RequestSummary(id="x", at=1, route="/", turn=False))
    now[0] += 2
    told = figures.told()
    assert [(each["step"], each["count"]) for each in told] == list(RANGES)
    bar = {"place": 59, "requests": 4, "errors": 1, "ttft_ms": 200, "fresh": 0, "cached": 20, "output": 0}
    assert told[0]["bars"] == [bar]
    assert told[2]["bars"] == [{**bar, "place": 95}]
    now[0] += 59 * 60
    assert [[each["place"] for each in one["bars"]] for one in figures.told()] == [[], [0], [92]]


def test_bounded(figures, now):
    """However long a server runs, and however much it answers, so many bars and first tokens are kept."""
    for minute in range(3000):
        now[0] = NOW + minute * 60
        for _ in range(3):
            figures.add(Point(at=now[0], ttft_ms=1))
    for _ in range(2 * MAX_SAMPLES):
        figures.add(Point(at=now[0], ttft_ms=1000))
    kept = [len(each._bars) for each in figures._ranges]
    assert kept == [15, 60, 96]
    assert figures.told()[0]["bars"][-1]["ttft_ms"] == 1000
    figures.add(Point(at=NOW))
    assert [len(each._bars) for each in figures._ranges] == kept


def test_owners(figures):
    """An owner sees its own turns alone."""
    figures.add(Point(at=NOW, owner="ann.1"))
    figures.add(Point(at=NOW, owner="bob.1", failed=True))
    sums = {owner: figures.told(owner)[1]["bars"] for owner in (None, "ann.1", "carl.1")}
    assert [[(bar["requests"], bar["errors"]) for bar in bars] for bars in sums.values()] == [[(2, 1)], [(1, 0)], []]


def test_not_worked_out_at_each_look(figures, now):
    """Pages that look all the time share what was worked out within a second."""
    first = figures.told()
    figures.add(Point(at=NOW))
    assert figures.told() is first
    now[0] += 1
    assert figures.told()[0]["bars"]
