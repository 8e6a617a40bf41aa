"""Sums since any second, exact whatever the order in which entries come."""

from __future__ import annotations

import random

import pytest

from app.ledger import sums as module
from app.ledger.entry import Spent
from app.ledger.sums import SPAN_SECONDS, Sums

MIDNIGHT = 1_790_000_000 - 1_790_000_000 % 86400


def test_sums_since():
    """A sum holds what ended in that second or later, of one owner or of all."""
    sums = Sums()
    sums.add("ann", 100.9, Spent(1, 10, 1, dollars=0.5))
    sums.add("bob", 100.2, Spent(1, 20, 2))
    sums.add("ann", 102.0, Spent(1, 30, 3, 4, 5))
    assert sums.since("ann", 101) == Spent(1, 30, 3, 4, 5)
    assert sums.since("ann", 102).tokens == 42
    assert sums.since("ann", 100) == Spent(2, 40, 4, 4, 5, 0.5)
    assert sums.since("ann", 103) == Spent()
    assert sums.since(None, 0).input_tokens == 60
    assert sums.since("nobody", 0) == Spent()


def test_any_order():
    """What other workers tell late counts where it belongs."""
    chance = random.Random(7)
    told = [(chance.randrange(1000), chance.randrange(1, 100)) for _ in range(3000)]
    sums = Sums()
    for at, tokens in told:
        sums.add("", at, Spent(1, tokens))
    for since in (0, 1, 499, 500, 998, 999, 1000):
        expected = [tokens for at, tokens in told if at >= since]
        assert sums.since("", since) == Spent(len(expected), sum(expected))


def test_bounded(monkeypatch):
    """However many there are, so many moments are kept, and sums stay exact since any minute of the last days."""
    monkeypatch.setattr(module, "MAX_MOMENTS", 5000)
    sums, now = Sums(), MIDNIGHT + 86400
    for at in range(now - 30_000, now):
        sums.add("", at, Spent(1, 2))
    assert len(sums._series["", None]._moments) <= 5001
    for minutes in (1, 30, 100, 400):
        assert sums.since("", now - 60 * minutes) == Spent(60 * minutes, 120 * minutes)
    assert sums.since("", now - 90).requests == 90


def test_forgets_what_is_older(monkeypatch):
    """What is older than the span leaves the memory and no sum."""
    monkeypatch.setattr(module, "MAX_MOMENTS", 10)
    sums = Sums()
    for at in range(20):
        sums.add("", at, Spent(1))
    sums.add("", SPAN_SECONDS + 1000, Spent(1))
    assert len(sums._series["", None]._moments) == 1
    assert sums.since("", 1000) == Spent(1)


@pytest.mark.parametrize("field", ["requests", "input_tokens", "output_tokens", "cache_read_tokens", "dollars"])
def test_arithmetic(field):
    """Sums and differences are count by count."""
    one = Spent(1, 2, 3, 4, 5, 6.0)
    assert getattr(one + one, field) == 2 * getattr(one, field)
    assert one - one == Spent()


def test_many_at_once():
    """What comes in one go, in whatever order, adds up as what comes one by one, of each owner and login."""
    dice = random.Random(7)
    news = [(dice.choice("ab"), dice.choice(["", "l"]), dice.randrange(300), Spent(1, 2)) for _ in range(2000)]
    one, many = Sums(), Sums()
    for owner, login, at, spent in news:
        one.add(owner, at, spent, login)
    for begin in range(0, len(news), 250):
        many.add_all(news[begin : begin + 250])
    for moment in (0, 1, 150, 299, 300):
        for owner in ("a", "b", None):
            for logins in (None, ["l"], ["l", ""]):
                assert many.since(owner, moment, logins) == one.since(owner, moment, logins)
    assert many.since("a", 100, ["l"]).requests == sum(
        owner == "a" and login == "l" and at >= 100 for owner, login, at, _ in news
    )
