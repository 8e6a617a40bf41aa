"""The requests of this moment and of the last hour, in memory: what runs, what ran, what failed, and how many."""

from __future__ import annotations

import collections
import logging
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from app.errors import ClientGone
from app.records.record import RequestRecord, RequestSummary

log = logging.getLogger(__name__)

MAX_TURNS = 50
MAX_ERRORS = 10
MINUTE_SECONDS = 60
MINUTES = 60
# So many times to first token are kept of a minute, of which the median is shown.
MAX_SAMPLES = 200


class History:
    """The requests that run and the last that ended; each end is told to the `readers`. Thread-safe.

    Only turns are shown. Of the other requests nothing but their errors is kept, and of strangers that were refused
    nothing at all: a web page that knocks pushes nothing out.
    """

    def __init__(self, *readers: Callable[[RequestSummary], None]) -> None:
        self._readers = readers
        self._lock = threading.Lock()
        self._running: dict[str, RequestRecord] = {}
        self._ended: collections.deque[RequestSummary] = collections.deque(maxlen=MAX_TURNS)
        self._errors: collections.deque[RequestSummary] = collections.deque(maxlen=MAX_ERRORS)

    def begin(self, record: RequestRecord) -> None:
        """Count a request as running."""
        with self._lock:
            self._running[record.id] = record

    def end(self, record: RequestRecord) -> None:
        """Give back what is held for a request and tell of it, once; it never fails.

        It runs where a response is closed, and what closes after it must be closed too.
        """
        with self._lock:
            if self._running.pop(record.id, None) is None:
                return
        try:
            record.give_back()
        except Exception:
            log.exception("request not given back")
        summary = record.summary(running=False)
        for reader in (self._note, *self._readers):
            try:
                reader(summary)
            except Exception:
                log.exception("request not told")

    @property
    def busy(self) -> bool:
        """Whether a request has not got its whole response."""
        return bool(self._running)

    def turns(self, owner: str | None = None) -> list[RequestSummary]:
        """Return an owner's turns, None for all, those that run first, each part with the latest first."""
        with self._lock:
            running = [record.summary() for record in reversed(self._running.values()) if record.turns is not None]
            return [turn for turn in (*running, *self._ended) if owner in {None, turn.owner}]

    def errors(self, owner: str | None = None) -> list[dict[str, Any]]:
        """Return an owner's last errors, the latest first: when (unix seconds), which code, on which route."""
        with self._lock:
            return [
                {"at": round(ended.at, 3), "code": ended.code, "route": ended.route}
                for ended in self._errors
                if owner in {None, ended.owner}
            ]

    def _note(self, summary: RequestSummary) -> None:
        with self._lock:
            if summary.turn:
                self._ended.appendleft(summary)
            if summary.admitted and summary.code not in {None, ClientGone.code}:
                self._errors.appendleft(summary)


class _Minute:
    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.firsts: list[int] = []


class HourlyFigures:
    """Counts the turns of the last hour, minute by minute: how many, failed, and how soon they began. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By minute and owner; None is for all of them.
        self._minutes: collections.OrderedDict[int, dict[str | None, _Minute]] = collections.OrderedDict()

    def note(self, summary: RequestSummary) -> None:
        """Count a turn that has ended; other requests are not counted."""
        if not summary.turn:
            return
        with self._lock:
            owners = self._minutes.setdefault(int(self._clock() // MINUTE_SECONDS), {})
            for owner in (None, summary.owner):
                minute = owners.setdefault(owner, _Minute())
                minute.requests += 1
                minute.errors += summary.code not in {None, ClientGone.code}
                if summary.ttft_ms is not None and len(minute.firsts) < MAX_SAMPLES:
                    minute.firsts.append(summary.ttft_ms)
            while len(self._minutes) > MINUTES:
                self._minutes.popitem(last=False)

    def series(self, owner: str | None = None) -> list[dict[str, Any]]:
        """Return an hour's minutes of an owner, None for all, the current one last.

        `at` is in unix seconds, `ttft_ms` a median or None.
        """
        last = int(self._clock() // MINUTE_SECONDS)
        with self._lock:
            return [self._told(number, owner) for number in range(last - MINUTES + 1, last + 1)]

    def _told(self, number: int, owner: str | None) -> dict[str, Any]:
        minute = self._minutes.get(number, {}).get(owner) or _Minute()
        first = round(statistics.median(minute.firsts)) if minute.firsts else None
        return {"at": number * MINUTE_SECONDS, "requests": minute.requests, "errors": minute.errors, "ttft_ms": first}
