"""What is left of the plan: its windows as the API tells them, and which of them are used up.

Two sources, neither of which costs a token: the `rate_limit_event` that comes with an answer, and the CLI's
`get_usage`, put to a spare that waits, whose percentages and ISO times are those of its /usage dialog. Where the login
has the profile in its scope, the CLI asks the API's usage endpoint for it. A token in the environment has not; then the
CLI says so at once, and the windows stay unknown until an answer tells of them.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from app.backend import WINDOW_SECONDS, Limit, Window
from app.claude.cli.incoming import ControlReply, RateLimitInfo, RateWindow
from app.errors import PlanLimit, ProxyError

log = logging.getLogger(__name__)

PLAN_NAME = re.compile(r"[a-z0-9_]{1,40}")
FAMILY_WINDOW = re.compile(r"seven_day_(opus|sonnet|haiku)")
# So many windows are remembered; their names come from outside.
MAX_WINDOWS = 16
# How long an answer to `get_usage` is good for, how long to wait for it, and how soon to ask again if none came.
USAGE_FRESH_SECONDS = 300.0
USAGE_WAIT_SECONDS = 10.0
USAGE_PAUSE_SECONDS = 3.0
# Two times of reset that are no further apart, in seconds, are one.
SAME_SECONDS = 60.0
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
        self.name: str | None = None  # such as `max`
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

    def note_name(self, name: Any) -> None:
        """Take over the `subscription_type` of a `get_usage`."""
        if isinstance(name, str) and PLAN_NAME.fullmatch(name):
            self.name = name

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
        models = models_of(name, self._family(model))
        with self._lock:
            self._limits[name, models] = Limit(name, models, info.resets_at, message)
            self._tried[name, models] = self._monotonic()

    def succeeded(self, model: str) -> None:
        """Forget the limits that would have refused `model`: the API has just answered it."""
        with self._lock:
            for key in self._refusing(model) if self._limits else ():
                del self._limits[key]

    def check(self, model: str) -> None:
        """Raise PlanLimit if the API is known to refuse `model` now; nothing is started for such a request."""
        with self._lock:
            if not self._limits:
                return
            self._drop_past()
            now = self._monotonic()
            refusing = self._refusing(model)
            if all(now - self._tried[key] >= self._probe for key in refusing):
                self._tried.update(dict.fromkeys(refusing, now))
                return
            limit = max((self._limits[key] for key in refusing), key=lambda limit: limit.resets_at)
            wait = max(1, math.ceil(limit.resets_at - self._clock()))
            raise PlanLimit(limit.message, retry_after=wait, falls_back=True)

    def remember(self, windows: Mapping[str, Window]) -> None:
        """Take over windows that were seen before the server began, where it has not seen them itself."""
        with self._lock:
            self._windows = {**windows, **self._windows}

    def forget(self) -> None:
        """Begin anew: the login is another one, and so is its plan."""
        with self._lock:
            self.name = None
            self._windows.clear()
            self._limits.clear()

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
        if name not in self._windows and len(self._windows) >= MAX_WINDOWS:
            return
        before = self._windows.get(name)
        if used is None and status == "rejected":
            used = 100.0
        if used is None and before is not None and _same(before.resets_at, resets_at):
            used = before.used_percent  # a plain `allowed` does not say how much
        self._windows[name] = Window(used, resets_at, status, self._clock())

    def _refusing(self, model: str) -> list[tuple[str, str]]:
        covered = {EVERY_MODEL, self._family(model)}
        return [key for key in self._limits if key[1] in covered]

    def _drop_past(self) -> None:
        now = self._clock()
        for key in [key for key, limit in self._limits.items() if limit.resets_at <= now]:
            del self._limits[key]


class Inquiry:
    """Refreshes `plan` when somebody looks at it, at most one question at a time. Thread-safe.

    `ask` puts a control request to a process, waits so many seconds, and returns its answer or None.
    """

    def __init__(self, plan: Plan, ask: Callable[..., ControlReply | None]) -> None:
        self._plan = plan
        self._ask = ask
        self._lock = threading.Lock()
        self._next = 0.0

    def look(self) -> None:
        """Have the plan asked for in the background, if its last answer is old; returns at once, and never fails."""
        with self._lock:
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + USAGE_PAUSE_SECONDS + USAGE_WAIT_SECONDS
        threading.Thread(target=self._refresh, name="usage", daemon=True).start()

    def _refresh(self) -> None:
        pause = USAGE_PAUSE_SECONDS
        try:
            reply = self._ask("get_usage", USAGE_WAIT_SECONDS, skip_behaviors=True)
            if reply is not None:
                pause = USAGE_FRESH_SECONDS
                log.debug("usage asked subtype=%s", reply.subtype)
                self._plan.note_name(reply.payload().get("subscription_type"))
                self._plan.note_usage(reply.payload().get("rate_limits"))
        except ProxyError as error:
            log.debug("no usage code=%s", error.code)
        except Exception:
            log.exception("no usage")
        self._next = time.monotonic() + pause


def models_of(window: str, family: str) -> str:
    """Return which models a window stands for: all, those of the family in its name, else those of `family`."""
    named = FAMILY_WINDOW.fullmatch(window)
    return EVERY_MODEL if window in WINDOW_SECONDS else named[1] if named else family


def _percent(told: RateLimitInfo | RateWindow) -> float | None:
    return None if told.utilization is None else round(told.utilization * 100, 2)


def _same(one: float | None, other: float | None) -> bool:
    """Tell whether two times of reset are one: `get_usage` tells it to the millisecond, an answer to the second."""
    return one == other if one is None or other is None else abs(one - other) <= SAME_SECONDS


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
