"""The application's parts, their start and the current request's record, where a request finds them."""

from __future__ import annotations

import atexit
import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from typing import cast

import flask

from app.backend import Backend
from app.captures.captures import Captures
from app.config import Settings
from app.errors import ConfigError, ProxyError
from app.ledger.ledger import Ledger
from app.models import Catalogue
from app.records.figures import Figures
from app.records.history import History
from app.records.metrics import Metrics
from app.records.record import RequestRecord
from app.sessions.store import SessionStore
from app.web import PROBE
from app.web.bodies import Bodies
from app.web.budgets import Budgets
from app.web.connections import Connections
from app.web.disconnects import Disconnects

log = logging.getLogger(__name__)

KEY = "claude-max-api-proxy"


class Start:
    """Runs each of `steps` once, in order, and each of `at_exit`, the last first, at the end. Thread-safe.

    The end is `close`, or that of the interpreter.

    gunicorn's worker calls it before it serves. Under any other server it runs with the first request other than GET
    /health, which comes after any fork.
    """

    def __init__(self, *steps: Callable[[], object], at_exit: tuple[Callable[[], object], ...] = ()) -> None:
        self._steps = steps
        self._at_exit = at_exit
        self._lock = threading.Lock()
        self._done = False

    def __call__(self) -> None:
        """Start, once; where a step fails, the next call tries it again. Raises what a step raises."""
        if self._done:
            return
        with self._lock:
            if self._done:
                return
            for step in self._steps:
                step()
            atexit.register(self.close)
            self._done = True

    def close(self) -> None:
        """Do what is to be done at the end, if there was a start; once."""
        atexit.unregister(self.close)
        with self._lock:
            endings, self._at_exit = self._at_exit if self._done else (), ()
        for ending in reversed(endings):
            try:
                ending()
            except Exception:
                log.exception("not closed")  # the others are, all the same

    def for_request(self) -> None:
        """Start if the current request needs it. Raises ProxyError where that fails; the log says why."""
        if self._done or flask.request.endpoint == PROBE:
            return
        try:
            self()
        except ConfigError as error:
            log.error("cannot serve: %s", error)  # noqa: TRY400 - the sentence says it all
            raise ProxyError("The server cannot serve as it is set up; its log has the reason.") from None


@dataclasses.dataclass(frozen=True)
class State:
    """One per application."""

    settings: Settings
    catalogue: Catalogue
    backend: Backend
    disconnects: Disconnects
    sessions: SessionStore
    metrics: Metrics
    figures: Figures
    history: History
    ledger: Ledger
    budgets: Budgets
    bodies: Bodies
    captures: Captures
    start: Start
    connections: Connections = dataclasses.field(default_factory=Connections)
    began: float = dataclasses.field(default_factory=time.monotonic)


def state(app: flask.Flask | None = None) -> State:
    """Return the parts of `app`, by default those of the application that serves the current request."""
    return cast("State", (app or flask.current_app).extensions[KEY])


def record() -> RequestRecord:
    """Return the record of the current request."""
    return cast("RequestRecord", flask.g.record)
