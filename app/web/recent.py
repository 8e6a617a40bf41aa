"""The last requests, in memory: what runs, what ran, what failed."""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Callable
from typing import Any

from app.errors import ClientGone
from app.facts import Facts
from app.web.entry import Entry

log = logging.getLogger(__name__)

REMEMBERED = 50
ENVELOPE = 10


class Recent:
    """The requests that run and the last that ended; each end is told to `listeners`. Thread-safe.

    Only turns are shown; of the others nothing but their errors is kept.
    """

    def __init__(self, *listeners: Callable[[Facts], None]) -> None:
        self._listeners = listeners
        self._lock = threading.Lock()
        self._running: dict[str, Entry] = {}
        self._ended: collections.deque[Facts] = collections.deque(maxlen=REMEMBERED)
        self._errors: collections.deque[Facts] = collections.deque(maxlen=ENVELOPE)

    def begin(self, entry: Entry) -> None:
        """Show a request as running."""
        with self._lock:
            self._running[entry.id] = entry

    def end(self, entry: Entry) -> None:
        """Take a request's facts, once; it never fails."""
        try:
            with self._lock:
                if self._running.pop(entry.id, None) is None:
                    return
                facts = entry.facts(running=False)
                if facts.turn:
                    self._ended.appendleft(facts)
                if facts.code is not None and facts.code != ClientGone.code:
                    self._errors.appendleft(facts)
            for listener in self._listeners:
                listener(facts)
        except Exception:
            # It runs where a response is closed, and what closes after it must be closed too.
            log.exception("request not counted")

    @property
    def busy(self) -> bool:
        """Whether a request has not got its whole response."""
        return bool(self._running)

    def turns(self, owner: str | None = None) -> list[Facts]:
        """Return an owner's turns, None for all, those that run first, each part with the latest first."""
        with self._lock:
            running = [entry.facts(running=True) for entry in reversed(self._running.values())]
            return [facts for facts in (*running, *self._ended) if facts.turn and owner in {None, facts.owner}]

    def errors(self, owner: str | None = None) -> list[dict[str, Any]]:
        """Return an owner's last errors, the latest first: when (unix seconds), which code, on which route."""
        with self._lock:
            return [
                {"at": round(facts.at, 3), "code": facts.code, "route": facts.route}
                for facts in self._errors
                if owner in {None, facts.owner}
            ]
