"""How many turns run at once, and who is next: a bounded queue that is fair to clients.

A slot goes to the client that has the fewest, and among its requests to the oldest. A full queue takes the first
request of a client that has few in it, and gives up the newest of the one that has most: fair queueing with its
"longest queue drop" (RFC 7806, section 2).
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import threading
from collections.abc import Iterator

from app.cancellation import Cancellation
from app.claude.cli.channel import TICK_SECONDS, Deadlines
from app.errors import QueueFull

RETRY_AFTER_SECONDS = 5


@dataclasses.dataclass(eq=False)
class Ticket:
    """A place of a client: first in the queue, then in a slot; `number` counts all tickets.

    It gets a slot only when it is `prepared`: when nothing has to come before it any longer. `decided` is set when it
    has one, or when its place was given to another client, which is its `refusal`.
    """

    client: str
    number: int
    prepared: bool
    decided: threading.Event = dataclasses.field(default_factory=threading.Event)
    refusal: QueueFull | None = None


def until_granted(ticket: Ticket, cancellation: Cancellation, deadlines: Deadlines) -> Iterator[None]:
    """Yield once a tick until a ticket has its slot. Raises ProxyError if it cannot have one."""
    cancellation.on_cancel(ticket.decided.set)
    while not ticket.decided.wait(TICK_SECONDS):
        check(ticket, cancellation, deadlines)
        yield
    check(ticket, cancellation, deadlines)


def check(ticket: Ticket, cancellation: Cancellation, deadlines: Deadlines) -> None:
    """Raise what ends a ticket's wait: it was cancelled, its place is another's, or the turn is overdue."""
    cancellation.check()
    if ticket.refusal is not None:
        raise ticket.refusal
    deadlines.touch()
    deadlines.check()


class Slots:
    """At most `limit` tickets are granted and `queue_limit` more wait. Thread-safe."""

    def __init__(self, limit: int, queue_limit: int) -> None:
        self.limit = limit
        self._queue_limit = queue_limit
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._running: set[Ticket] = set()
        self._slots_of: collections.Counter[str] = collections.Counter()
        # The waiting tickets of each client that has any, the oldest first.
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
            ticket = Ticket(client, next(self._numbers), prepared)
            free = len(self._running) < self.limit
            # While a slot is free, one more request may get ready for it.
            if not (prepared and free) and self.waiting >= self._queue_limit + free:
                self._make_room(client)
            self._queues.setdefault(client, {})[ticket] = None
            self._grant()
        return ticket

    def check_room(self, client: str, number: int) -> None:
        """Raise QueueFull unless so many tickets of a client would get in now; nobody loses a place by asking."""
        with self._lock:
            waiting = number - max(0, self.limit - self.running)
            lengths = collections.Counter({one: len(queue) for one, queue in self._queues.items()})
            for _ in range(waiting):
                if lengths.total() >= self._queue_limit:
                    (longest, most), *_ = lengths.most_common(1) or [(client, 0)]
                    if most <= lengths[client] + 1:
                        raise self._full(number)
                    lengths[longest] -= 1
                lengths[client] += 1

    def prepare(self, ticket: Ticket) -> None:
        """Let a ticket have a slot from now on."""
        with self._lock:
            ticket.prepared = True
            self._grant()

    def leave(self, ticket: Ticket) -> None:
        """Take a ticket back and give its slot to the next; idempotent."""
        with self._lock:
            if ticket in self._running:
                self._running.discard(ticket)
                self._slots_of[ticket.client] -= 1
                if not self._slots_of[ticket.client]:
                    del self._slots_of[ticket.client]
                self._grant()
            else:
                self._remove(ticket)

    def _grant(self) -> None:
        """Give a free slot to the next, if there are both."""
        if len(self._running) >= self.limit:
            return
        firsts = [next((one for one in queue if one.prepared), None) for queue in self._queues.values()]
        ready = [ticket for ticket in firsts if ticket is not None]
        if ready:
            ticket = min(ready, key=lambda one: (self._slots_of[one.client], one.number))
            self._remove(ticket)
            self._running.add(ticket)
            self._slots_of[ticket.client] += 1
            ticket.decided.set()

    def _make_room(self, client: str) -> None:
        longest = max(self._queues.values(), key=len, default={})
        # The client that gains a place must not end up with more than the one that loses it.
        if len(longest) <= len(self._queues.get(client, ())) + 1:
            raise self._full()
        newest = next(reversed(longest))
        self._remove(newest)
        newest.refusal = QueueFull(
            "The queue is full, and this request's place went to a client with fewer in it; try again shortly.",
            retry_after=RETRY_AFTER_SECONDS,
        )
        newest.decided.set()

    def _remove(self, ticket: Ticket) -> None:
        queue = self._queues.get(ticket.client, {})
        queue.pop(ticket, None)
        if not queue:
            self._queues.pop(ticket.client, None)

    def _full(self, number: int = 1) -> QueueFull:
        if number > self.limit + self._queue_limit:
            never = QueueFull(
                f"This request asks for {number} turns at a time; this server has {self.limit}, and "
                f"{self._queue_limit} places in the queue."
            )
            never.should_retry = False
            return never
        if number > 1:
            taken = (
                f"{self.running} of {self.limit} turns and {self.waiting} of {self._queue_limit} places in the queue "
                f"are taken, and this request asks for {number}"
            )
        elif self.running >= self.limit:
            taken = f"All {self.limit} turns and {self._queue_limit} places in the queue are taken"
        else:
            taken = f"{self.waiting} requests wait already, for others of their session to end"
        return QueueFull(f"{taken}; try again shortly.", retry_after=RETRY_AFTER_SECONDS)
