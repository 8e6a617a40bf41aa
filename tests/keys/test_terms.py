"""The terms of a key: how they are read, and when days and weeks begin."""

from __future__ import annotations

import time

import pytest

from app.keys import terms
from app.keys.terms import READERS, Terms, period


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text):
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("tokens_per_day", "2M", 2_000_000),
        ("tokens_per_week", "1.5k", 1500),
        ("requests_per_day", "7", 7),
        ("dollars_per_week", "$0.50", 0.5),
        ("share", "20%", 0.2),
        ("weekly_share", "2.5 %", 0.025),
        ("models", "Haiku, claude-opus-4-6", ("haiku", "claude-opus-4-6")),
    ],
)
def test_read(name, text, value):
    """People write amounts as people do."""
    assert READERS[name](text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tokens_per_day", "0"), ("tokens_per_day", "-1"), ("tokens_per_day", "many"), ("dollars_per_day", "0"),
        ("share", "20"), ("share", "0%"), ("share", "101%"), ("models", ","), ("models", "a/b"), ("expires", "soon"),
        ("expires", "2027-13-01"),
    ],
)  # fmt: skip
def test_not_read(name, text):
    """What is no such amount is refused, with what it takes."""
    with pytest.raises(ValueError, match="such as"):
        READERS[name](text)


def test_expiry(berlin, monkeypatch):
    """A span counts from now on, a date is good to its end."""
    monkeypatch.setattr("app.keys.terms.time.time", lambda: 1000.0)
    assert terms.expiry("90d") == 1000 + 90 * 86400
    assert terms.expiry("2027-03-28") == at("2027-03-29 00:00")  # a day of 23 hours


def test_periods(berlin):
    """A day is from midnight to midnight, a week from Monday on, where the clock is changed, too."""
    now = at("2026-10-25 12:00")  # a Sunday of 25 hours
    assert period("day", now) == (at("2026-10-25 00:00"), at("2026-10-26 00:00"))
    assert period("day", now)[1] - period("day", now)[0] == 25 * 3600
    assert period("week", now) == (at("2026-10-19 00:00"), at("2026-10-26 00:00"))
    assert period("week", at("2026-10-26 00:00"))[0] == at("2026-10-26 00:00")


@pytest.mark.parametrize("zone", ["America/Havana", "Atlantic/Azores"])
def test_two_midnights(zone, monkeypatch):
    """Where clocks go back to midnight the day has its first hour twice, and both are of it."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    first = next(
        moment
        for moment in range(1_790_000_000 // 1800 * 1800, 1_800_000_000, 1800)
        if time.localtime(moment)[3:5] == time.localtime(moment + 3600)[3:5] == (0, 0)
    )
    assert {period("day", first + hours * 3600)[0] for hours in range(25)} == {first}
    assert period("day", first)[1] == first + 25 * 3600
    assert period("day", first - 60)[1] == first
    monkeypatch.undo()
    time.tzset()


def test_models():
    """A family allows all of its models, a full name that one."""
    given = Terms(models=("haiku", "claude-opus-4-6"))
    assert given.allow("claude-haiku-4-5", "haiku")
    assert given.allow("claude-opus-4-6", "opus")
    assert not given.allow("opus", "opus")
    assert Terms().allow("opus", "opus")
