"""The page's figures of use: today and the last 30 days, by key and model, and what the plan is worth."""

from __future__ import annotations

import threading
import time
from typing import Any

import msgspec

from app.backend import PlanStatus
from app.errors import DatabaseFailed
from app.ledger import report, worth
from app.ledger.ledger import Ledger
from app.ledger.report import Since, Sum
from app.ledger.store import LedgerStore
from app.models import spoken

PERIODS = (("Today", "1d"), ("Last 30 days", "30d"))
# So many names are shown; the others are added up.
MAX_NAMES = 8
# How often the ledger is read at most, in seconds, for all pages together.
FRESH_SECONDS = 3.0


class UsageFigures:
    """What the pages show of a ledger, read anew at most every few seconds and where something has changed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._kept: dict[str | None, tuple[float, str, list[dict[str, Any]]]] = {}

    def told(self, view: str | None, plan: PlanStatus) -> dict[str, Any]:
        """Return the figures of the owner `view`, None for all; only these are set against the plan."""
        left = worth.left(plan.windows, lambda since: self._ledger.spent_by_login(None, since)) if view is None else []
        return {
            "periods": self._periods(view),
            "plan": plan.name if view is None else None,
            "flat_dollars": worth.FLAT_DOLLARS.get(plan.name or "", ()) if view is None else (),
            "left": msgspec.to_builtins(left),
        }

    def _periods(self, view: str | None) -> list[dict[str, Any]]:
        now, state = time.monotonic(), f"{time.strftime('%Y-%m-%d')} {self._ledger.version}"
        with self._lock:
            read_at, before, periods = self._kept.get(view, (-FRESH_SECONDS, "", []))
            if before != state and now - read_at >= FRESH_SECONDS:
                try:
                    periods = self._read(view)
                except DatabaseFailed:
                    state = ""  # the log says it; a later look tries again
                self._kept[view] = (now, state, periods)
            return periods

    def _read(self, view: str | None) -> list[dict[str, Any]]:
        now = time.time()
        return self._ledger.read(
            lambda store: [_period(store, name, report.since(text, now), view) for name, text in PERIODS]
        )


def _period(store: LedgerStore, name: str, begin: Since, view: str | None) -> dict[str, Any]:
    keys, models = (store.sums(by, begin, view) for by in ("key", "model"))
    return {"name": name, "total": report.total(keys), "keys": _first(keys), "models": _named(_first(models))}


def _named(models: list[Sum]) -> list[Sum]:
    """Return the sums by the models' names as people say them."""
    return [msgspec.structs.replace(part, name=spoken(part.name) or part.name) for part in models]


def _first(parts: list[Sum]) -> list[Sum]:
    """Return the first, and the sum of the others, where there are many."""
    if len(parts) <= MAX_NAMES:
        return parts
    others = msgspec.structs.replace(report.total(parts[MAX_NAMES - 1 :]), name="others")
    return [*parts[: MAX_NAMES - 1], others]
