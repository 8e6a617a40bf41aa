"""The application's parts and the current request's record, where a request finds them."""

from __future__ import annotations

import dataclasses
import time
from typing import cast

import flask

from app.backend import Backend
from app.config import Settings
from app.models import Catalogue
from app.records.history import History, HourlyFigures
from app.records.metrics import Metrics
from app.records.record import RequestRecord
from app.sessions.store import SessionStore
from app.web.connections import Connections
from app.web.disconnects import Disconnects
from app.web.in_flight import InFlight
from app.web.start import Start

KEY = "claude-max-api-proxy"


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
