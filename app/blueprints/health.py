"""GET /health: the server runs. GET /ready: it can answer, as far as can be told without spending a token."""

from __future__ import annotations

import datetime as dt
from typing import Any

import flask

from app.claude.failure import LOGIN_SENTENCE
from app.errors import CliFailed
from app.web.state import state

health = flask.Blueprint("health", __name__)
# Spares may have failed for these before the executable was put right; /ready looks at it anew.
LOOKED_AT = frozenset({"cli_missing", "cli_version"})


@health.get("/health")
def alive() -> dict[str, str]:
    """Say that the server runs, at once."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"status": "ok", "provider": "claude-code-cli", "timestamp": now}


@health.get("/ready")
def ready() -> tuple[dict[str, Any], int]:
    """Say whether a request would be answered, and if not, what to do."""
    pool = state().pool
    supply = pool.supply
    cli: dict[str, Any] = {"found": False}
    login = "unknown"
    reason = "The server is shutting down." if pool.draining else None
    try:
        binary = supply.locator.current()
    except CliFailed as error:
        reason = reason or error.message
    else:
        cli = {"found": True, "path": str(binary.path), "version": binary.version_text}
        login = supply.login.state(binary.path)
        if login in {"absent", "failed"}:
            reason = reason or LOGIN_SENTENCE
        elif supply.spares.problem is not None and supply.spares.problem.code not in LOOKED_AT:
            reason = reason or supply.spares.problem.message
    body = {
        "status": "ready" if reason is None else "not_ready",
        "reason": reason,
        "cli": cli,
        "login": login,
        "slots": {"limit": pool.slots.limit, "running": pool.slots.running, "waiting": pool.slots.waiting},
        "spares": {"wanted": supply.spares.wanted, "ready": supply.spares.ready},
        "agents": {"wanted": supply.agents.wanted, "ready": supply.agents.ready},
        "kept": {"limit": supply.kept.limit, "idle": supply.kept.idle, "parked": supply.kept.parked},
    }
    return body, 200 if reason is None else 503
