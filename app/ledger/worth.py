"""What a plan is worth: its flat price beside what was used at list price, and an estimate of what is left of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from app.backend import WINDOW_SECONDS, Window
from app.ledger.entry import Spent

# Dollars a month in the United States, by the name that the CLI gives a plan; it has one name for both sizes of Max.
# https://support.claude.com/en/articles/11145838 ("Using Claude Code with your Pro or Max plan"), read on 2026-11-26.
FLAT_DOLLARS: Mapping[str, tuple[int, ...]] = {"pro": (20,), "max": (100, 200)}
# The percentages are rounded, so that each stands for half a point more or less. Of less than this nothing can be told.
HALF_POINT_PERCENT = 0.5
MIN_PERCENT = 2.0


class Left(msgspec.Struct, frozen=True):
    """An estimate of the tokens left in a window: the likeliest number, and the bounds that rounding leaves."""

    window: str
    tokens: int
    low: int
    high: int


def left(windows: Mapping[str, Window], spent: Callable[[float], Spent]) -> list[Left]:
    """Return an estimate for each window in which enough was used to make one.

    `spent` tells what this server has used since a moment, in unix seconds. The estimate takes it that nothing else
    uses the plan, and that what comes is of the same mix as what was.
    """
    found = []
    for name, seconds in WINDOW_SECONDS.items():
        window = windows.get(name)
        if window is None or window.used_percent is None or window.resets_at is None:
            continue
        used = window.used_percent
        # What was used after the percentage was told is not in it.
        counted = (spent(window.resets_at - seconds) - spent(window.seen_at)).tokens
        if used < MIN_PERCENT or counted <= 0:
            continue
        later = spent(window.seen_at).tokens
        likely, low, high = (
            max(0, round(counted * (100 - percent) / percent) - later)
            for percent in (used, used + HALF_POINT_PERCENT, used - HALF_POINT_PERCENT)
        )
        found.append(Left(name, likely, low, high))
    return found
