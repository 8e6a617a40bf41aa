"""What an API key may use: amounts for a day, a week or a share of the plan's windows, models, and until when."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

Unit = Literal["tokens", "requests", "dollars"]
THOUSANDS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
SPANS = {"h": 3600, "d": 86400, "w": 7 * 86400}
MAX_AMOUNT = 10**15
# What a login is known by, and what stands for the one of the machine on which it is written.
LOGIN, THIS_LOGIN = r"[0-9a-f]{16}", "this"


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a key may use; None and empty are no bound.

    Shares are of the plan's five hours and of its week, from 0 to 1. `models` are families or full names; `expires` is
    in unix seconds. `personal` keys are not held back from what is reserved of the plan. `login` is the digest of the
    one login that may answer.
    """

    tokens_per_day: int | None = None
    tokens_per_week: int | None = None
    requests_per_day: int | None = None
    requests_per_week: int | None = None
    dollars_per_day: float | None = None
    dollars_per_week: float | None = None
    share: float | None = None
    weekly_share: float | None = None
    models: tuple[str, ...] = ()
    expires: int | None = None
    personal: bool = False
    login: str | None = None

    def amounts(self) -> list[Amount]:
        """Return the bounds on tokens, requests and dollars."""
        given = ((getattr(self, f"{unit}_per_{span}"), unit, span) for unit in UNITS for span in STARTS)
        return [Amount(most, unit, span) for most, unit, span in given if most is not None]

    def shares(self) -> list[tuple[str, float]]:
        """Return the bounds on the plan's windows, by their names."""
        given = (("five_hour", self.share), ("seven_day", self.weekly_share))
        return [(window, most) for window, most in given if most is not None]

    def allow(self, model: str, family: str) -> bool:
        """Tell whether a model of a family may be asked."""
        return not self.models or family in self.models or model in self.models

    @property
    def expired(self) -> bool:
        """Whether the key has ended."""
        return self.expires is not None and self.expires <= time.time()

    @property
    def bounded(self) -> bool:
        """Whether there is a budget."""
        return bool(self.amounts() or self.shares())


class Amount(NamedTuple):
    """At most so many of a unit, in a `day` or a `week`."""

    most: float
    unit: Unit
    span: str


UNITS: tuple[Unit, ...] = ("tokens", "requests", "dollars")
NO_TERMS = Terms()


def period(span: str, now: float) -> tuple[float, float]:
    """Return when a span that holds `now` begins and ends, in unix seconds: days and weeks of this machine's calendar.

    A week begins on Monday.
    """
    return STARTS[span](now)


def _day(now: float, first: int = 0, days: int = 1) -> tuple[float, float]:
    told = time.localtime(now)

    def midnight(later: int) -> float:
        found = time.mktime((told.tm_year, told.tm_mon, told.tm_mday + later, 0, 0, 0, 0, 0, -1))
        # Where clocks go back to midnight there are two; the day begins with the first.
        before = found - 3600
        return before if time.localtime(before)[:3] == time.localtime(found)[:3] else found

    return midnight(first), midnight(first + days)


def _week(now: float) -> tuple[float, float]:
    return _day(now, -time.localtime(now).tm_wday, 7)


STARTS: dict[str, Callable[[float], tuple[float, float]]] = {"day": _day, "week": _week}


def amount(text: str) -> int:
    """Read a whole number above 0, such as 500, 200k or 2M. Raises ValueError, saying what it takes."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([kmg]?)", text.strip().lower())
    number = float(match[1]) * THOUSANDS[match[2]] if match else 0
    if not 1 <= number <= MAX_AMOUNT:
        raise ValueError("a number above 0, such as 500, 200k or 2M")
    return int(number)


def dollars(text: str) -> float:
    """Read an amount of money. Raises ValueError."""
    match = re.fullmatch(r"\$?([0-9]{1,9}(?:\.[0-9]{1,4})?)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError("dollars, such as 5 or 0.50")
    return float(match[1])


def share(text: str) -> float:
    """Read a percentage. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)\s*%", text.strip())
    if match is None or not 0 < float(match[1]) <= 100:  # noqa: PLR2004 - per cent
        raise ValueError("a percentage, such as 20%")
    return round(float(match[1]) / 100, 6)


def models(text: str) -> tuple[str, ...]:
    """Read a list of families or full names of models. Raises ValueError."""
    names = tuple(part.lower() for part in re.split(r"[,\s]+", text) if part)
    if not names or any(not re.fullmatch(r"[a-z][a-z0-9.@-]{0,99}(\[1m\])?", name) for name in names):
        raise ValueError("families or full names of models, such as haiku,sonnet")
    return names


def expiry(text: str) -> int:
    """Read when a key ends, a span from now or a date (its end), as unix seconds. Raises ValueError."""
    said = text.strip().lower()
    if match := re.fullmatch(r"([0-9]{1,5})([hdw])", said):
        return int(time.time()) + int(match[1]) * SPANS[match[2]]
    try:
        day = dt.date.fromisoformat(said)
    except ValueError:
        raise ValueError("a span such as 90d, 12h or 4w, or a date such as 2027-01-31") from None
    return int(_day(time.mktime((day.year, day.month, day.day, 12, 0, 0, 0, 0, -1)))[1])


def login(text: str) -> str:
    """Read the digest of a login, or `this` for that of this machine. Raises ValueError."""
    said = text.strip().lower()
    if said != THIS_LOGIN and not re.fullmatch(LOGIN, said):
        raise ValueError(f"the digest of a login, as `claude-max-api status --all` shows it, or `{THIS_LOGIN}`")
    return said


# How the text of each is read; the rest are switches.
READERS: dict[str, Callable[[str], Any]] = {
    **{f"tokens_per_{span}": amount for span in STARTS},
    **{f"requests_per_{span}": amount for span in STARTS},
    **{f"dollars_per_{span}": dollars for span in STARTS},
    "share": share,
    "weekly_share": share,
    "models": models,
    "expires": expiry,
    "login": login,
}
