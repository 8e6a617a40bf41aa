"""The requests of this moment and the last ones, in memory: what runs, what ran and what failed."""

from __future__ import annotations

import collections
import functools
import logging
import threading
from collections.abc import Callable
from typing import Any

from app.backend import Correction
from app.errors import ClientGone
from app.records.record import RequestRecord, RequestSummary

log = logging.getLogger(__name__)

MAX_TURNS = 50
MAX_ERRORS = 10


class History:
    """The requests that run and the last that ended; each end is told to the `readers`. Thread-safe.

    What is found out afterwards of what a request used is told to `later`.

    Only turns are shown. Other requests leave nothing but their errors, and refused strangers leave nothing at all, so
    that a web page that keeps calling cannot push other entries out.
    """

    def __init__(
        self,
        *readers: Callable[[RequestSummary], None],
        later: Callable[[RequestSummary, Correction], None] = lambda _, __: None,
    ) -> None:
        self._readers = readers
        self._later = later
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

        It runs where a response is closed: an error here would keep what comes after it from being closed.
        """
        with self._lock:
            if self._running.pop(record.id, None) is None:
                return
        try:
            record.give_back()
        except Exception:
            log.exception("request not given back")
        record.hand_over(functools.partial(self._later, record.summary(running=False)))
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
        """Return an owner's last errors, the latest first.

        They say when (unix seconds), which code, by which method on which route, of which model by the name asked for,
        in which words.
        """
        with self._lock:
            return [
                {
                    "at": round(ended.at, 3),
                    "code": ended.code,
                    "method": ended.method,
                    "route": ended.route,
                    "model": ended.asked,
                    "message": ended.words,
                }
                for ended in self._errors
                if owner in {None, ended.owner}
            ]

    def _note(self, summary: RequestSummary) -> None:
        with self._lock:
            if summary.turn:
                self._ended.appendleft(summary)
            if summary.admitted and summary.code not in {None, ClientGone.code}:
                self._errors.appendleft(summary)
