"""What is left of the plan: its windows as the API tells them, and which of them are used up.

Two sources, neither of which costs a token: the `rate_limit_event` that comes with an answer, and the CLI's
`get_usage`, whose percentages and ISO times are those of its /usage dialog.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from app.backend import Limit, Window
from app.claude.cli.protocol import RateLimitInfo, RateWindow
from app.errors import PlanLimit

# Used up, these refuse every model; any other window refuses the models of one family.
FOR_ALL = frozenset({"five_hour", "seven_day"})
FAMILY_WINDOW = re.compile(r"seven_day_(opus|sonnet|haiku)")
# So many windows are remembered; their names come from outside.
MOST_WINDOWS = 16
EVERY_MODEL = "all"


class Plan:
    """The windows seen so far, and the limits that refuse requests until their reset. Thread-safe.

    `family` tells the family of a model. Every `probe` seconds one request is let through to a used-up window: the
    plan may have been changed, and a clock that jumped must not lock anybody out.
    """

    def __init__(
        self,
        family: Callable[[str], str],
        probe: float,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._family = family
        self._probe = probe
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._windows: dict[str, Window] = {}
        self._limits: dict[tuple[str, str], Limit] = {}
        self._tried: dict[tuple[str, str], float] = {}  # when a request was last let through, in monotonic seconds

    def note(self, info: RateLimitInfo) -> None:
        """Take over what an answer's `rate_limit_event` says."""
        with self._lock:
            for name, window in (info.unified_windows or {}).items():
                if window is not None:
                    self._see(name, _percent(window), window.resets_at, window.status)
            if info.rate_limit_type is not None:
                self._see(info.rate_limit_type, _percent(info), info.resets_at, info.status or None)

    def note_usage(self, rate_limits: Any) -> None:
        """Take over the `rate_limits` of a `get_usage`, as far as they can be understood."""
        if not isinstance(rate_limits, dict):
            return
        scoped = rate_limits.get("model_scoped")
        named = {f"seven_day_{_slug(row.get('display_name'))}": row for row in _dicts(scoped)}
        with self._lock:
            for name, row in {**named, **rate_limits}.items():
                if name == "extra_usage" or not isinstance(row, dict):
                    continue
                used = row.get("utilization")
                if isinstance(used, int | float) and math.isfinite(used):
                    before = self._windows.get(name)
                    self._see(name, float(used), _unix(row.get("resets_at")), before.status if before else None)

    def refused(self, info: RateLimitInfo, model: str, message: str) -> None:
        """Remember that the API refused a request for `model`, if it said until when and nothing else pays for it."""
        if not info.refuses or info.resets_at is None:
            return
        name = info.rate_limit_type or "five_hour"
        named = FAMILY_WINDOW.fullmatch(name)
        models = EVERY_MODEL if name in FOR_ALL else named[1] if named else self._family(model)
        with self._lock:
            self._limits[name, models] = Limit(name, models, info.resets_at, message)
            self._tried[name, models] = self._monotonic()

    def succeeded(self, model: str) -> None:
        """Forget the limits that would have refused `model`: the API has just answered it."""
        with self._lock:
            for key in self._refusing(model):
                del self._limits[key]

    def check(self, model: str) -> None:
        """Raise PlanLimit if the API is known to refuse `model` now; nothing is started for such a request."""
        with self._lock:
            self._drop_past()
            now = self._monotonic()
            refusing = self._refusing(model)
            if all(now - self._tried[key] >= self._probe for key in refusing):
                self._tried.update(dict.fromkeys(refusing, now))
                return
            limit = max((self._limits[key] for key in refusing), key=lambda limit: limit.resets_at)
            raise PlanLimit(limit.message, retry_after=max(1, math.ceil(limit.resets_at - self._clock())))

    @property
    def windows(self) -> dict[str, Window]:
        """The windows by name; one whose reset has passed is not among them, since its use is not known."""
        now = self._clock()
        with self._lock:
            return {
                name: seen for name, seen in self._windows.items() if seen.resets_at is None or seen.resets_at > now
            }

    @property
    def limits(self) -> list[Limit]:
        """The windows that are used up."""
        with self._lock:
            self._drop_past()
            return list(self._limits.values())

    def _see(self, name: str, used: float | None, resets_at: float | None, status: str | None) -> None:
        if name not in self._windows and len(self._windows) >= MOST_WINDOWS:
            return
        before = self._windows.get(name)
        if used is None and before is not None and before.resets_at == resets_at:
            used = before.used_percent  # a plain `allowed` does not tell
        if used is None and status == "rejected":
            used = 100.0
        self._windows[name] = Window(used, resets_at, status, self._clock())

    def _refusing(self, model: str) -> list[tuple[str, str]]:
        covered = {EVERY_MODEL, self._family(model)}
        return [key for key in self._limits if key[1] in covered]

    def _drop_past(self) -> None:
        now = self._clock()
        for key in [key for key, limit in self._limits.items() if limit.resets_at <= now]:
            del self._limits[key]


def _percent(told: RateLimitInfo | RateWindow) -> float | None:
    return None if told.utilization is None else round(told.utilization * 100, 2)


def _unix(text: Any) -> float | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _dicts(rows: Any) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _slug(name: Any) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")[:32] or "model"
