"""The last hour, minute by minute: how many turns ended, how many failed, and how soon their first token came."""

from __future__ import annotations

import collections
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from app.errors import ClientGone
from app.facts import Facts

MINUTE = 60
MINUTES = 60
# So many times to first token are kept of a minute, of which the median is shown.
SAMPLES = 200


class _Minute:
    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.firsts: list[int] = []


class Minutes:
    """Counts the turns of the last hour. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By minute and owner; None is for all of them.
        self._minutes: collections.OrderedDict[int, dict[str | None, _Minute]] = collections.OrderedDict()

    def note(self, facts: Facts) -> None:
        """Count a turn that has ended; other requests are not counted."""
        if not facts.turn:
            return
        with self._lock:
            owners = self._minutes.setdefault(int(self._clock() // MINUTE), {})
            for owner in (None, facts.owner):
                minute = owners.setdefault(owner, _Minute())
                minute.requests += 1
                minute.errors += facts.code not in {None, ClientGone.code}
                if facts.ttft_ms is not None and len(minute.firsts) < SAMPLES:
                    minute.firsts.append(facts.ttft_ms)
            while len(self._minutes) > MINUTES:
                self._minutes.popitem(last=False)

    def series(self, owner: str | None = None) -> list[dict[str, Any]]:
        """Return an hour's minutes of an owner, None for all, the current one last.

        `at` is in unix seconds, `ttft_ms` a median or None.
        """
        last = int(self._clock() // MINUTE)
        with self._lock:
            return [self._told(number, owner) for number in range(last - MINUTES + 1, last + 1)]

    def _told(self, number: int, owner: str | None) -> dict[str, Any]:
        minute = self._minutes.get(number, {}).get(owner) or _Minute()
        first = round(statistics.median(minute.firsts)) if minute.firsts else None
        return {"at": number * MINUTE, "requests": minute.requests, "errors": minute.errors, "ttft_ms": first}
