"""Whether a key has something left of what it may use, and what is reserved of the plan for others.

A budget is checked when a request begins. A turn that is running when the budget ends is finished. Running requests
count as made, so that many at once do not exceed it.
"""

from __future__ import annotations

import collections
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import flask

from app import moments
from app.backend import WINDOW_SECONDS, WINDOW_WORDS, Backend, Window
from app.config import ANYONE
from app.errors import KeyBudget, PlanReserved
from app.keys.key import Key
from app.keys.terms import Amount, Terms, period
from app.ledger import shares
from app.ledger.entry import Spent
from app.ledger.windows import Windows
from app.records.record import Caller, RequestSummary

PER_CENT = "per cent"


class Left(NamedTuple):
    """What is left of one budget: of how much, in what, in words for how long, until when (unix seconds), of what."""

    most: float
    left: float
    unit: str
    of: str
    resets_at: float
    per: str


class Budgets:
    """Holds keys to their terms. Thread-safe.

    `spent` tells what an owner, None for all, has spent since a moment, of all logins or some; `family` tells the
    family of a model. The last part `reserve` of the plan's windows, from 0 to 1, is for personal keys and `admins`
    alone. `keys` tells all keys, `windows` what was seen of the plan's.
    """

    def __init__(
        self,
        spent: Callable[..., Spent],
        backend: Backend,
        family: Callable[[str], str],
        reserve: float = 0.0,
        admins: tuple[str, ...] = (),
        *,
        keys: Callable[[], Iterable[Key]] = tuple,
        windows: Windows | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spent = spent
        self._backend = backend
        self._family = family
        self._reserve = reserve
        self._admins = admins
        self._keys = keys
        self._clock = clock
        self._windows = windows or Windows(backend, spent)
        self._lock = threading.Lock()
        self._running: collections.Counter[str] = collections.Counter()
        self._owners: dict[str, str] = {}  # by the id of a request that runs

    def enter(self, request_id: str, caller: Caller, model: str) -> None:
        """Let a request of a caller begin, and count it until `leave`. Raises KeyBudget or PlanReserved."""
        if caller.key is None:
            return
        with self._lock:
            used_up = [one for one in self.left(caller.owner, caller.terms) if one.left <= 0]
            if used_up:
                last = max(used_up, key=lambda one: one.resets_at)
                raise KeyBudget(_sentence(caller.key, last), retry_after=self._until(last.resets_at))
            self.check_reserve(caller, model)
            if caller.terms.bounded:
                self._running[caller.owner] += 1
                self._owners[request_id] = caller.owner

    def leave(self, summary: RequestSummary) -> None:
        """Count a request no longer: it has ended, and is in the ledger."""
        with self._lock:
            owner = self._owners.pop(summary.id, None)
            if owner is not None:
                self._running[owner] -= 1

    def left(self, owner: str, terms: Terms) -> list[Left]:
        """Return what is left of each budget of a key's; nothing is left where it is negative."""
        now = self._clock()
        found = [self._left_of(owner, amount, now) for amount in terms.amounts()]
        if bounds := terms.shares():
            windows = self._backend.status().plan.windows
            for name, most in bounds:
                window = windows.get(name)
                if window is not None and window.resets_at is not None and window.used_percent is not None:
                    used = shares.used(self._spent, self._windows, owner, name, window)
                    of = f"the plan's {WINDOW_WORDS[name]}"
                    found.append(Left(100 * most, 100 * (most - used), PER_CENT, of, window.resets_at, name))
        return found

    def told(self, view: str | None) -> list[dict[str, Any]]:
        """Return what is left of the budgets of the owner `view`, None for those of all keys, for people."""
        return [
            {"key": key.name, **one._asdict()}
            for key in self._keys()
            if key.terms.bounded and view in {None, key.identity}
            for one in self.left(key.identity, key.terms)
        ]

    def mark(self, response: flask.Response) -> flask.Response:
        """Say in a response's headers what is left of the caller's budgets, in OpenAI's names."""
        caller: Caller = flask.g.record.caller
        if not caller.terms.bounded:
            return response
        tightest: dict[str, Left] = {}
        for one in self.left(caller.owner, caller.terms):
            before = tightest.get(one.unit)
            if before is None or _tightness(one) < _tightness(before):
                tightest[one.unit] = one
        for unit, one in tightest.items():
            name = "share" if unit == PER_CENT else unit
            response.headers[f"x-ratelimit-limit-{name}"] = _number(one.most)
            response.headers[f"x-ratelimit-remaining-{name}"] = _number(max(0.0, one.left))
            response.headers[f"x-ratelimit-reset-{name}"] = _span(self._until(one.resets_at))
        return response

    def _left_of(self, owner: str, amount: Amount, now: float) -> Left:
        begins, ends = period(amount.span, now)
        spent = self._spent(owner, begins)
        if amount.unit == "dollars":
            used = spent.likely_dollars(self._spent(None, begins))
        else:
            used = getattr(spent, amount.unit)
        if amount.unit == "requests":
            used += self._running[owner]
        return Left(amount.most, amount.most - used, amount.unit, f"the {amount.span}", ends, amount.span)

    def check_reserve(self, caller: Caller, model: str) -> None:
        """Raise PlanReserved if what is left of the plan for a model is for other callers."""
        if (
            caller.key is None
            or not self._reserve
            or caller.terms.personal
            or self._admins == ANYONE
            or caller.key in self._admins
        ):
            return
        family, beyond = self._family(model), list[tuple[float, str]]()
        windows: Mapping[str, Window] = self._backend.status().plan.windows
        for name, window in windows.items():
            meant = name in WINDOW_SECONDS or name == f"seven_day_{family}"
            if meant and window.used_percent is not None and window.used_percent >= 100 * (1 - self._reserve):
                beyond.append((window.resets_at or self._clock() + WINDOW_SECONDS["five_hour"], name))
        if beyond:
            resets_at, name = max(beyond)
            window_words = WINDOW_WORDS.get(name, name.replace("_", " "))
            raise PlanReserved(
                f"The rest of the plan's {window_words} is reserved for other keys "
                f"(CLAUDE_PROXY_RESERVE={_number(100 * self._reserve)}%) until {_moment(resets_at)}.",
                retry_after=self._until(resets_at),
            )

    def _until(self, moment: float) -> int:
        return max(1, math.ceil(moment - self._clock()))


def _tightness(left: Left) -> tuple[float, float]:
    """Return what is less the sooner a budget holds back, and of those that are used up the longer."""
    return max(0.0, left.left), -left.resets_at


def _sentence(key: str, left: Left) -> str:
    return (
        f"The API key {key} has used its {_number(left.most)} {left.unit} of {left.of}; it begins anew at "
        f"{_moment(left.resets_at)}. Whoever runs the server can change that with `claude-max-api key set {key}`."
    )


def _moment(unix: float) -> str:
    return moments.written(unix) or "a time that no calendar has"


def _number(value: float) -> str:
    """Return a number as people write it, with at most four decimals."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _span(seconds: int) -> str:
    """Return a time span as OpenAI's headers have it, such as 1h2m3s."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(
        f"{number}{unit}" for number, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if number or unit == "s"
    )
