"""How much one key may ask for at a time, and in a minute."""

from __future__ import annotations

import collections
import math
import threading
import time
from collections.abc import Callable

from app.errors import KeyBusy, KeyRateLimited

MINUTE_SECONDS = 60.0
# How soon to try again, in seconds, when it depends on how long other answers take.
RETRY_AFTER_SECONDS = 5


class Hold:
    """What one request has of its key's limit, in turns. Thread-safe."""

    def __init__(self, limits: KeyLimits, name: str) -> None:
        self._limits = limits
        self._name = name
        self._lock = threading.Lock()
        self._turns = 1

    def take(self, turns: int) -> None:
        """Count all the turns of the request, which may be several side by side. Raises KeyBusy."""
        if 0 < self._limits.concurrency < turns:
            error = KeyBusy(
                f"This request asks for {turns} turns at a time; the API key {self._name} may have "
                f"{self._limits.concurrency}."
            )
            error.should_retry = False
            raise error
        with self._lock:
            self._limits.change(self._name, self._turns, turns)
            self._turns = turns

    def release(self) -> None:
        """Count none of them any longer; idempotent."""
        with self._lock:
            self._limits.change(self._name, self._turns, 0)
            self._turns = 0


class KeyLimits:
    """Counts the turns of each key; a limit of 0 is none. Thread-safe."""

    def __init__(self, concurrency: int, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.concurrency = concurrency
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._running: collections.Counter[str] = collections.Counter()
        self._begun: dict[str, collections.deque[float]] = {}

    def enter(self, name: str) -> Hold:
        """Count a request of the key `name`, with one turn.

        Raises KeyBusy or KeyRateLimited, and then nothing is counted: a refused request does not put off the next.
        """
        with self._lock:
            self._check(name, self._running[name], 1)
            if self._per_minute:
                self._note(name)
            self._running[name] += 1
        return Hold(self, name)

    def change(self, name: str, before: int, after: int) -> None:
        """Count a request of a key with so many turns as it has now. Raises KeyBusy, and then it counts as before."""
        with self._lock:
            others = self._running[name] - before
            if after > before:
                self._check(name, others, after)
            self._running[name] = others + after

    def running(self, name: str) -> int:
        """Return how many turns of a key have not ended."""
        return self._running[name]

    def _check(self, name: str, others: int, turns: int) -> None:
        if self.concurrency and others + turns > self.concurrency:
            asked = f", and this request asks for {turns}" if turns > 1 else ""
            raise KeyBusy(
                f"The API key {name} has {others} turns running or waiting{asked}; its limit is {self.concurrency}.",
                retry_after=RETRY_AFTER_SECONDS,
            )

    def _note(self, name: str) -> None:
        now = self._clock()
        begun = self._begun.setdefault(name, collections.deque())
        while begun and begun[0] <= now - MINUTE_SECONDS:
            begun.popleft()
        if len(begun) >= self._per_minute:
            raise KeyRateLimited(
                f"The API key {name} has made {self._per_minute} requests within a minute, which is its limit.",
                retry_after=math.ceil(begun[0] + MINUTE_SECONDS - now),
            )
        begun.append(now)
