"""How much one key may ask for at a time, and in a minute."""

from __future__ import annotations

import collections
import math
import threading
import time
from collections.abc import Callable

from app.errors import KeyBusy, KeyRateLimited

MINUTE = 60.0
# How soon to try again, in seconds, when it depends on how long other answers take.
SOON = 5


class KeyLimits:
    """Counts the requests of each key; a limit of 0 is none. Thread-safe."""

    def __init__(self, concurrency: int, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._concurrency = concurrency
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._running: collections.Counter[str] = collections.Counter()
        self._begun: dict[str, collections.deque[float]] = {}

    def enter(self, name: str) -> Callable[[], None]:
        """Count a request of the key `name`; return what ends it, however often that is called.

        Raises KeyBusy or KeyRateLimited, and then nothing is counted: a refused request does not put off the next.
        """
        with self._lock:
            if self._concurrency and self._running[name] >= self._concurrency:
                raise KeyBusy(
                    f"The API key {name} has {self._concurrency} requests running, which is its limit.",
                    retry_after=SOON,
                )
            if self._per_minute:
                self._note(name)
            self._running[name] += 1
        ended = False

        def leave() -> None:
            nonlocal ended
            with self._lock:
                if not ended:
                    ended = True
                    self._running[name] -= 1

        return leave

    def running(self, name: str) -> int:
        """Return how many requests of a key have not ended."""
        return self._running[name]

    def _note(self, name: str) -> None:
        now = self._clock()
        begun = self._begun.setdefault(name, collections.deque())
        while begun and begun[0] <= now - MINUTE:
            begun.popleft()
        if len(begun) >= self._per_minute:
            raise KeyRateLimited(
                f"The API key {name} has made {self._per_minute} requests within a minute, which is its limit.",
                retry_after=math.ceil(begun[0] + MINUTE - now),
            )
        begun.append(now)
