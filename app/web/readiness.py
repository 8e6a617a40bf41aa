"""What /ready and the page tell of the server: whether it would answer, and its figures."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from app.backend import Backend
from app.web.state import State

FIGURES = ("slots", "spares", "agents", "kept", "processes", "plan", "unproven")


def verdict(backend: Backend) -> dict[str, Any]:
    """Return `status`, `reason`, `cli` and `login`; it may run the CLI, and take a second."""
    readiness = backend.readiness()
    return {"status": "ready" if readiness.reason is None else "not_ready", **msgspec.to_builtins(readiness)}


def counts(state: State, view: str | None) -> dict[str, Any]:
    """Return what can be read off at once: the plan, turns, processes and last errors.

    The errors are those of the owner `view`, None for all. A used-up plan is no failure of the server: it stays ready,
    since other models may be open, and `limited` says it.
    """
    status = state.backend.status()
    limits = status.plan.limits
    return {
        "demo": bool(state.settings.demo),
        "limited": limits[0].message if limits else None,
        "uptime_s": round(time.monotonic() - state.began, 1),
        **{name: msgspec.to_builtins(getattr(status, name)) for name in FIGURES},
        "last_errors": state.history.errors(view),
    }
