"""An estimate of what is left of a plan: from use and percent, with the bounds that rounding leaves."""

from __future__ import annotations

import pytest

from app.backend import Window
from app.ledger.entry import Spent
from app.ledger.sums import Sums
from app.ledger.worth import left

NOW = 1_790_000_000.0
RESET = NOW + 3600.0


def window(used, seen_at=NOW, resets_at=RESET):
    return {"five_hour": Window(used, resets_at, "allowed", seen_at)}


@pytest.fixture
def spent():
    """Give what was used: 1,000 tokens in the window, others before it."""
    sums = Sums()
    sums.add("ann", NOW - 6 * 3600, Spent(1, 5000))
    sums.add("ann", NOW - 3600, Spent(1, 600))
    sums.add("bob", NOW - 60, Spent(1, 100, 100, 100, 100))
    return lambda since: sums.since(None, since)


def test_estimate(spent):
    """A quarter used for 1,000 tokens leaves 3,000, more or less as half a percent is."""
    (estimate,) = left(window(25.0), spent)
    assert (estimate.window, estimate.tokens) == ("five_hour", 3000)
    assert (estimate.low, estimate.high) == (round(1000 * 74.5 / 25.5), round(1000 * 75.5 / 24.5))


def test_what_came_after(spent):
    """What was used after the percentage was told is no part of it, and no longer left."""
    (estimate,) = left(window(25.0, seen_at=NOW - 600), spent)
    assert estimate.tokens == 600 * 3 - 400


def test_used_up(spent):
    """Nothing is left of a full window, and never less."""
    (estimate,) = left(window(100.0), spent)
    assert (estimate.tokens, estimate.low) == (0, 0)


@pytest.mark.parametrize("windows", [{}, window(None), window(1.9), window(25.0, resets_at=None)])
def test_nothing_to_tell(windows, spent):
    """Without a percentage, or with hardly any, there is no estimate."""
    assert left(windows, spent) == []


def test_used_by_others():
    """Where this server has used nothing, its use says nothing."""
    assert left(window(25.0), lambda _: Spent()) == []


def test_windows_of_one_family(spent):
    """Use is not told apart by family: a window of one model has no estimate."""
    assert left({"seven_day_opus": window(25.0)["five_hour"]}, spent) == []
