"""How many turns run at once, and who is next: a bounded queue that is fair to clients.

A slot goes to the client that has the fewest, and among its requests to the oldest. A full queue takes the first
request of a client that has few in it, and gives up the newest of the one that has most: fair queueing with its
"longest queue drop" (RFC 7806, section 2).
"""

from __future__ import annotations

import collections
import itertools
import threading

from app.errors import QueueFull

RETRY_AFTER = 5


class Ticket:
    """A place of a client: first in the queue, then in a slot. `leave` gives up either; idempotent."""

    def __init__(self, slots: Slots, client: str, number: int, *, prepared: bool) -> None:
        self.client = client
        self.number = number
        self.prepared = prepared
        self._slots = slots
        self._decided = threading.Event()
        self._refusal: QueueFull | None = None

    def wait(self, timeout: float) -> bool:
        """Return whether the slot is granted, waiting at most `timeout` seconds for it. Raises QueueFull."""
        decided = self._decided.wait(timeout)
        self.check()
        return decided

    def check(self) -> None:
        """Raise QueueFull if its place was given to another client."""
        if self._refusal is not None:
            raise self._refusal

    def prepare(self) -> None:
        """Say that nothing has to come before it any longer but a slot."""
        self._slots.prepare(self)

    def leave(self) -> None:
        """Give the slot, or the place in the queue, to the next."""
        self._slots.leave(self)

    def decide(self, refusal: QueueFull | None = None) -> None:
        """Wake whoever waits: the slot is granted, or refused for a reason. For its slots alone."""
        self._refusal = refusal
        self._decided.set()


class Slots:
    """At most `limit` tickets are granted and `queue_limit` more wait. Thread-safe."""

    def __init__(self, limit: int, queue_limit: int) -> None:
        self.limit = limit
        self._queue_limit = queue_limit
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._running: set[Ticket] = set()
        self._slots_of: collections.Counter[str] = collections.Counter()
        # Of each client that has any, its tickets that wait, the oldest first.
        self._queues: dict[str, dict[Ticket, None]] = {}

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many tickets are queued."""
        return sum(map(len, list(self._queues.values())))

    def enter(self, client: str = "", *, prepared: bool = True) -> Ticket:
        """Return a ticket of a client, granted already if a slot is free and nothing else has to come before.

        Raises QueueFull.
        """
        with self._lock:
            ticket = Ticket(self, client, next(self._numbers), prepared=prepared)
            if prepared and self.running < self.limit:
                self._grant(ticket)
                return ticket
            # Where there is a slot, one more than may wait can be getting ready for it.
            if self.waiting >= self._queue_limit + (self.running < self.limit):
                self._make_room(client)
            self._queues.setdefault(client, {})[ticket] = None
        return ticket

    def prepare(self, ticket: Ticket) -> None:
        """Let a ticket have a slot from now on."""
        with self._lock:
            ticket.prepared = True
            self._grant_next()

    def leave(self, ticket: Ticket) -> None:
        """Take a ticket back and grant its slot to the next; unknown tickets are ignored."""
        with self._lock:
            if ticket in self._running:
                self._running.discard(ticket)
                self._slots_of[ticket.client] -= 1
                if not self._slots_of[ticket.client]:
                    del self._slots_of[ticket.client]
                self._grant_next()
            else:
                self._remove(ticket)

    def _grant(self, ticket: Ticket) -> None:
        self._running.add(ticket)
        self._slots_of[ticket.client] += 1
        ticket.decide()

    def _grant_next(self) -> None:
        firsts = [next((one for one in queue if one.prepared), None) for queue in self._queues.values()]
        ready = [ticket for ticket in firsts if ticket is not None]
        if ready and self.running < self.limit:
            ticket = min(ready, key=lambda one: (self._slots_of[one.client], one.number))
            self._remove(ticket)
            self._grant(ticket)

    def _make_room(self, client: str) -> None:
        longest = max(self._queues.values(), key=len, default={})
        # Never for one who would then have more than the other.
        if len(longest) <= len(self._queues.get(client, ())) + 1:
            raise self._full()
        newest = next(reversed(longest))
        self._remove(newest)
        newest.decide(
            QueueFull(
                "The queue is full, and this request's place went to a client with fewer in it; try again shortly.",
                retry_after=RETRY_AFTER,
            )
        )

    def _remove(self, ticket: Ticket) -> None:
        queue = self._queues.get(ticket.client, {})
        queue.pop(ticket, None)
        if not queue:
            self._queues.pop(ticket.client, None)

    def _full(self) -> QueueFull:
        taken = (
            f"All {self.limit} turns and {self._queue_limit} places in the queue are taken"
            if self.running >= self.limit
            else f"{self.waiting} requests wait already, for others of their session to end"
        )
        return QueueFull(f"{taken}; try again shortly.", retry_after=RETRY_AFTER)
