"""What /ready and the page tell of the server: whether it would answer, and its figures."""

from __future__ import annotations

import threading
import time
from typing import Any

import msgspec

from app.web.state import State

FIGURES = ("slots", "spares", "agents", "kept", "processes", "plan", "unproven")


# What stands for the login of a server that needs none.
NOT_NEEDED = "not needed"
# And for who pays for canned answers.
NOBODY = "nobody"


class Verdicts:
    """The last verdict on a server, for whoever looks often. Thread-safe."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._last: dict[str, Any] = {}
        self._made_at = 0.0
        self._errors: list[dict[str, Any]] = []

    def within(self, seconds: float) -> dict[str, Any]:
        """Return a verdict of the last so many seconds, made now if there is none; an error is a reason to look anew.

        It may run the CLI.
        """
        with self._lock:
            errors = self._state.history.errors()
            if not self._last or time.monotonic() - self._made_at >= seconds or errors != self._errors:
                self._last = verdict(self._state)
                self._made_at, self._errors = time.monotonic(), errors
            return self._last


def verdict(state: State) -> dict[str, Any]:
    """Return `status`, `reason`, `cli`, `login` and `paid_by`; it may run the CLI, and take a second."""
    readiness = state.backend.readiness()
    told = msgspec.to_builtins(readiness)
    if readiness.reason is None and not state.settings.ready_when_limited:
        told["reason"] = _used_up(state)
    login = {"login": NOT_NEEDED, "paid_by": NOBODY} if state.settings.demo else {}
    return {"status": "ready" if told["reason"] is None else "not_ready", **told, **login}


def _used_up(state: State) -> str | None:
    """Return in which words the plan refuses every model, None where it does not."""
    limits = state.backend.status().plan.limits
    return next((limit.message for limit in limits if limit.models == "all"), None)


def counts(state: State, view: str | None) -> dict[str, Any]:
    """Return what can be read off at once: the plan, turns, processes and last errors.

    The errors are those of the owner `view`, None for all, who is told the digest of the login, too. A used-up plan is
    no failure of the server: `limited` says it, and where the operator has not asked for another answer the server
    stays ready.
    """
    status = state.backend.status()
    limits = status.plan.limits
    return {
        "demo": bool(state.settings.demo),
        "limited": limits[0].message if limits else None,
        "captures": state.captures.keep,
        "uptime_s": round(time.monotonic() - state.began, 1),
        **{name: msgspec.to_builtins(getattr(status, name)) for name in FIGURES},
        "last_errors": state.history.errors(view),
        **({"login_digest": status.login} if view is None else {}),
    }
