"""GET /health: the server runs. GET /ready: it can answer. GET /metrics: its numbers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import flask

from app.records import metrics
from app.web import readiness
from app.web.state import record, state

health = flask.Blueprint("health", __name__)


@health.get("/health")
def alive() -> dict[str, str]:
    """Say that the server runs, at once."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"status": "ok", "provider": "claude-code-cli", "timestamp": now}


@health.get("/ready")
def ready() -> tuple[dict[str, Any], int]:
    """Say whether a request would be answered, and if not, what to do."""
    parts = state()
    body = {**readiness.verdict(parts), **readiness.counts(parts, record().caller.view)}
    return body, 200 if body["reason"] is None else 503


@health.get("/metrics")
def numbers() -> flask.Response:
    """Return the numbers in Prometheus's text format."""
    caller = record().caller
    return flask.Response(state().metrics.exposition(caller.view, caller.key), content_type=metrics.CONTENT_TYPE)
