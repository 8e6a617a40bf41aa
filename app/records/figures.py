"""What the page's charts show: turns, errors, times to first token and tokens of 15 minutes, an hour and a day."""

from __future__ import annotations

import collections
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from app.errors import ClientGone
from app.records.record import RequestSummary

# How long a bar's time is, in seconds, and how many bars there are.
RANGES = ((15, 60), (60, 60), (900, 96))
DAY_SECONDS = 86_400
# How many times to first token are kept of each bar, the latest, for its median.
MAX_SAMPLES = 100
# How often the bars are worked out anew at most, in seconds, for all pages together.
FRESH_SECONDS = 1.0


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One turn that has ended, as far as the charts need it: `fresh` and `cached` are what it read, in tokens."""

    at: float
    owner: str = ""
    failed: bool = False
    ttft_ms: int | None = None
    fresh: int = 0
    cached: int = 0
    output: int = 0


class _Bar:
    """What ended in one bar's time."""

    def __init__(self) -> None:
        self.requests = self.errors = self.fresh = self.cached = self.output = 0
        self.firsts: collections.deque[int] = collections.deque(maxlen=MAX_SAMPLES)

    def add(self, point: Point) -> None:
        self.requests += 1
        self.errors += point.failed
        self.fresh += point.fresh
        self.cached += point.cached
        self.output += point.output
        if point.ttft_ms is not None:
            self.firsts.append(point.ttft_ms)


class _Range:
    """The last `count` bars of `step` seconds each, by their number since 1970 and by owner; None is for all."""

    def __init__(self, step: int, count: int) -> None:
        self.step, self.count = step, count
        self._bars: dict[int, dict[str | None, _Bar]] = {}

    def add(self, point: Point, now: float) -> None:
        first = int(now // self.step) - self.count + 1
        for number in [number for number in self._bars if number < first]:
            del self._bars[number]
        number = int(point.at // self.step)
        if number < first:
            return
        owners = self._bars.setdefault(number, {})
        for owner in (None, point.owner):
            owners.setdefault(owner, _Bar()).add(point)

    def told(self, owner: str | None, now: float) -> dict[str, Any]:
        first = int(now // self.step) - self.count + 1
        return {
            "step": self.step,
            "count": self.count,
            "from": first * self.step,
            "bars": [
                {
                    "place": number - first,
                    "requests": bar.requests,
                    "errors": bar.errors,
                    "ttft_ms": int(statistics.median(bar.firsts)) if bar.firsts else None,
                    "fresh": bar.fresh,
                    "cached": bar.cached,
                    "output": bar.output,
                }
                for number, owners in sorted(self._bars.items())
                if number >= first and (bar := owners.get(owner)) is not None
            ],
        }


class Figures:
    """Counts the turns that have ended, in bars of each range. Thread-safe, bounded by the ranges and the keys."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ranges = [_Range(*given) for given in RANGES]
        self._told: dict[str | None, tuple[float, list[dict[str, Any]]]] = {}

    def note(self, summary: RequestSummary) -> None:
        """Count a turn that has ended; other requests are not counted."""
        if summary.turn:
            self.add(
                Point(
                    at=self._clock(),
                    owner=summary.owner,
                    failed=summary.code not in {None, ClientGone.code},
                    ttft_ms=summary.ttft_ms,
                    fresh=summary.input_tokens + summary.cache_write_tokens,
                    cached=summary.cache_read_tokens,
                    output=summary.output_tokens,
                )
            )

    def add(self, point: Point) -> None:
        """Count a turn that ended some time ago."""
        now = self._clock()
        with self._lock:
            for each in self._ranges:
                each.add(point, now)

    def told(self, owner: str | None = None) -> list[dict[str, Any]]:
        """Return each range with the bars of an owner, None for all, in which a turn ended.

        `from` is when the first bar begins, in unix seconds, and `ttft_ms` a median or None. They may be a second old.
        """
        now = self._clock()
        with self._lock:
            at, told = self._told.get(owner, (0.0, []))
            if not 0 <= now - at < FRESH_SECONDS:
                told = [each.told(owner, now) for each in self._ranges]
                self._told[owner] = (now, told)
            return told
