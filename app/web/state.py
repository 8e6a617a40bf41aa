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
from app.config import Settings
from app.errors import ConfigError, ProxyError
from app.models import Catalogue
from app.records.history import History, HourlyFigures
from app.records.metrics import Metrics
from app.records.record import RequestRecord
from app.sessions.store import SessionStore
from app.web import PROBE
from app.web.connections import Connections
from app.web.disconnects import Disconnects
from app.web.in_flight import InFlight

log = logging.getLogger(__name__)

KEY = "claude-max-api-proxy"


class Start:
    """Calls each of the `steps` once, in order; what is in `at_exit` when the interpreter ends. Thread-safe.

    gunicorn's worker calls it before it serves. Any other server comes to it with the first request that needs more
    than the word that the server runs, which is after any fork.
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
            for ending in self._at_exit:
                atexit.register(ending)
            self._done = True

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
    hourly: HourlyFigures
    history: History
    in_flight: InFlight
    start: Start
    connections: Connections = dataclasses.field(default_factory=Connections)
    began: float = dataclasses.field(default_factory=time.monotonic)


def state(app: flask.Flask | None = None) -> State:
    """Return the parts of `app`, by default those of the application that serves the current request."""
    return cast("State", (app or flask.current_app).extensions[KEY])


def record() -> RequestRecord:
    """Return the record of the current request."""
    return cast("RequestRecord", flask.g.record)
