"""How many turns run at once, and who waits: a first-in, first-out queue with a bound."""

from __future__ import annotations

import collections
import threading

from app.errors import QueueFull

RETRY_AFTER = 5


class Ticket:
    """A place: first in the queue, then in a slot. `leave` gives up either; idempotent."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._granted = threading.Event()

    def wait(self, timeout: float) -> bool:
        """Return whether the slot is granted, waiting at most `timeout` seconds for it."""
        return self._granted.wait(timeout)

    def leave(self) -> None:
        """Give the slot, or the place in the queue, to the next."""
        self._slots.leave(self)


class Slots:
    """At most `limit` tickets are granted and `queue_limit` more wait. Thread-safe."""

    def __init__(self, limit: int, queue_limit: int) -> None:
        self.limit = limit
        self._queue_limit = queue_limit
        self._lock = threading.Lock()
        self._running: set[Ticket] = set()
        self._queue: collections.deque[Ticket] = collections.deque()

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many tickets are queued."""
        return len(self._queue)

    def enter(self) -> Ticket:
        """Return a ticket, granted already if a slot is free. Raises QueueFull."""
        ticket = Ticket(self)
        with self._lock:
            if len(self._running) < self.limit:
                self._running.add(ticket)
                ticket._granted.set()  # noqa: SLF001 - a ticket and its slots are one thing
            elif len(self._queue) < self._queue_limit:
                self._queue.append(ticket)
            else:
                raise self.full()
        return ticket

    def full(self) -> QueueFull:
        """Return the error of a request for which there is no place."""
        return QueueFull(
            f"All {self.limit} turns and {self._queue_limit} places in the queue are taken; try again shortly.",
            retry_after=RETRY_AFTER,
        )

    def leave(self, ticket: Ticket) -> None:
        """Take a ticket back and grant its slot to the first in the queue; unknown tickets are ignored."""
        with self._lock:
            if ticket in self._running:
                self._running.discard(ticket)
                if self._queue:
                    following = self._queue.popleft()
                    self._running.add(following)
                    following._granted.set()  # noqa: SLF001
            elif ticket in self._queue:
                self._queue.remove(ticket)
