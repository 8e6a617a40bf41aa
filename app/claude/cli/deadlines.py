"""When a turn has taken too long."""

from __future__ import annotations

import time

from app.errors import TurnTimeout

# How long one read waits, in seconds: the beat at which heartbeats, deadlines and cancellations are looked at.
TICK = 1.0


class Deadlines:
    """When a turn has taken too long: `ends` (monotonic seconds) in all, `idle` seconds without a line."""

    def __init__(self, total: float, idle: float) -> None:
        self.ends = time.monotonic() + total
        self.idle = idle
        self._last = time.monotonic()

    def touch(self) -> None:
        """Note that a line came."""
        self._last = time.monotonic()

    def check(self) -> None:
        """Raise TurnTimeout when the turn is overdue."""
        now = time.monotonic()
        if now >= self.ends:
            raise TurnTimeout("The turn took longer than CLAUDE_PROXY_TIMEOUT allows.")
        if now - self._last >= self.idle:
            raise TurnTimeout("The claude CLI was silent for longer than CLAUDE_PROXY_IDLE_TIMEOUT allows.")

    def left(self) -> float:
        """Return the seconds a write may take, at least a moment."""
        return max(0.01, min(self.idle, self.ends - time.monotonic()))
