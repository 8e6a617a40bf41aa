"""What is remembered of requests: bounded, once, and of the last hour."""

from __future__ import annotations

from app.records.history import History, HourlyFigures
from app.records.record import Caller, RequestRecord, RequestSummary


def record(code=None):
    made = RequestRecord("/v1/chat/completions")
    made.caller, made.code, made.turns = Caller(), code, ()
    return made


def test_bounded():
    """However many there are, so many are kept, the latest first."""
    history = History()
    records = [record("overloaded") for _ in range(500)]
    for made in records:
        history.begin(made)
        history.end(made)
    assert [facts.id for facts in history.turns()] == [made.id for made in records[:449:-1]]
    assert len(history.errors()) == 10


def test_once():
    """Each end is told once, and neither a reader nor a hold that fails harms another."""
    told = []
    history = History(lambda summary: 1 / 0, told.append)
    made = record()
    made.on_end(lambda: 1 / 0)
    history.begin(made)
    history.end(made)
    history.end(made)
    assert [facts.id for facts in told] == [made.id]


def test_minutes():
    """Turns are counted minute by minute for an hour, with the median of their first tokens; others are not."""
    now = [600_000.0]
    hourly = HourlyFigures(lambda: now[0])

    def note(ttft=None, code=None, *, turn=True):
        hourly.note(RequestSummary(id="x", at=1, route="/", turn=turn, ttft_ms=ttft, code=code))

    for ttft in (100, 900, 200):
        note(ttft)
    note(code="overloaded")
    note(turn=False)
    now[0] += 59 * 60
    note()
    series = hourly.series()
    assert len(series) == 60
    assert series[0] == {"at": 600_000, "requests": 4, "errors": 1, "ttft_ms": 200}
    assert series[-1] == {"at": 600_000 + 59 * 60, "requests": 1, "errors": 0, "ttft_ms": None}
    assert sum(minute["requests"] for minute in series) == 5
    now[0] += 60
    assert sum(minute["requests"] for minute in hourly.series()) == 1
