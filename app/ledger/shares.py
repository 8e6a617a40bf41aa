"""How much of one of the plan's windows a key has used: an estimate, since the plan tells one figure for all.

What the window's figure has risen by since it was first seen, over the list price of what went through its login
meanwhile, says what a window is worth. What is used elsewhere at the same time makes a share seem larger than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.backend import WINDOW_SECONDS, Window
from app.ledger.entry import Spent
from app.ledger.windows import Place, Seen, Windows, logins_of

# The plan's figures are rounded: a smaller rise, in per cent of the window, says nothing of its worth.
MIN_RISE_PERCENT = 2.0


class Share(NamedTuple):
    """How much of a window is used, from 0 to 1, and when it begins anew, in unix seconds."""

    used: float
    resets_at: float


def used(spent: Callable[..., Spent], windows: Windows, owner: str, name: str, window: Window) -> float:
    """Return what an owner has used of a window of the login that pays, whose figures are known, from 0 to 1.

    `spent` tells what an owner, None for all, has spent since a moment through logins.
    """
    return _share(spent, owner, Place(windows.login, name), windows.note(name, window))


def last_known(
    spent: Callable[..., Spent], known: Mapping[Place, Seen], owner: str, name: str, now: float
) -> Share | None:
    """Return what an owner has used of a window as it is known, if it has not ended by now (unix seconds).

    Of several logins' windows it is the one of which it has used most.
    """
    shares = [
        Share(_share(spent, owner, place, seen), seen.resets_at)
        for place, seen in known.items()
        if place.name == name and seen.resets_at > now
    ]
    return max(shares, default=None)


def _share(spent: Callable[..., Spent], owner: str, place: Place, seen: Seen) -> float:
    begin, logins = seen.resets_at - WINDOW_SECONDS[place.name], logins_of(place.login)
    everybody, own = (spent(one, begin, logins).dollars for one in (None, owner))
    if own <= 0 or everybody <= 0:
        return 0.0
    rise, price = seen.percent - seen.first_percent, everybody - seen.first_dollars
    if rise >= MIN_RISE_PERCENT and price > 0:
        return own / price * rise / 100
    # Too little to tell what a window is worth: what was used before is shared out if it came through here.
    return own / everybody * (seen.percent if seen.first_dollars > 0 else max(0.0, rise)) / 100
