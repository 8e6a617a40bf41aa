"""Sums of the ledger for people: by key, model, day or program, since a day or a moment."""

from __future__ import annotations

import re
import time

import msgspec

from app.ledger.entry import day_of

# What one may sum by.
GROUPS = ("key", "model", "day", "client")
PERIOD = re.compile(r"([1-9][0-9]{0,3})(min|h|d|w)")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
SECONDS = {"min": 60, "h": 3600}
DAYS = {"d": 1, "w": 7}
PERIODS = "such as 7d or 2w (whole days, today included), 24h or 90min, or a date such as 2026-11-01"


class Since(msgspec.Struct, frozen=True):
    """When a sum begins: with the beginning of a `day`, or where there is none with a moment `at` (unix seconds)."""

    at: float
    day: str | None = None


class Sum(msgspec.Struct, frozen=True):
    """What was used by all that has one `name`. Tokens are disjoint; `dollars` lack those of `unpriced` turns."""

    name: str
    requests: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    dollars: float = 0.0
    unpriced: int = 0


def since(text: str, now: float) -> Since:
    """Return when a period begins that ends now (unix seconds). Raises ValueError, saying what a period is."""
    if DATE.fullmatch(text):
        return Since(time.mktime(time.strptime(text, "%Y-%m-%d")), text)
    found = PERIOD.fullmatch(text)
    if found is None:
        raise ValueError(f"a period {PERIODS}")
    number, unit = int(found[1]), found[2]
    if unit in SECONDS:
        return Since(now - number * SECONDS[unit])
    local = time.localtime(now)
    # Days have 23 or 25 hours where clocks are changed; mktime knows.
    first = time.mktime((local.tm_year, local.tm_mon, local.tm_mday - number * DAYS[unit] + 1, 0, 0, 0, 0, 0, -1))
    return Since(first, day_of(first))


def total(parts: list[Sum]) -> Sum:
    """Return the sum of sums."""
    columns = zip(*(msgspec.structs.astuple(part)[1:] for part in parts), strict=True)
    return Sum("", *(sum(column) for column in columns))
