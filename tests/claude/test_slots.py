"""So many turns at once, so many in the queue, first in first out."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.slots import Slots
from app.errors import QueueFull


def granted(tickets):
    return [ticket.wait(0) for ticket in tickets]


def test_order():
    """A slot that is given back goes to the one who waited longest."""
    slots = Slots(1, 2)
    tickets = [slots.enter() for _ in range(3)]
    assert granted(tickets) == [True, False, False]
    tickets[0].leave()
    assert granted(tickets[1:]) == [True, False]
    assert (slots.running, slots.waiting) == (1, 1)


def test_full():
    """Beyond slots and queue a request is refused at once, and told that trying again helps."""
    slots = Slots(1, 1)
    tickets = [slots.enter(), slots.enter()]
    with pytest.raises(QueueFull) as caught:
        slots.enter()
    assert caught.value.headers() == {"x-should-retry": "true", "Retry-After": "5"}
    tickets[1].leave()
    slots.enter()


def test_leave_twice():
    """Leaving again gives no second slot away."""
    slots = Slots(1, 3)
    first, second, third = (slots.enter() for _ in range(3))
    first.leave()
    first.leave()
    assert granted([second, third]) == [True, False]


def test_wake():
    """Who waits in another thread is woken when a slot is free."""
    slots = Slots(1, 1)
    first, second = slots.enter(), slots.enter()
    waiter = threading.Timer(0.02, first.leave)
    waiter.start()
    assert second.wait(5)
    waiter.join()


@given(st.integers(1, 4), st.integers(0, 4), st.lists(st.integers(-12, 12), max_size=60))
def test_bounds(limit, queue, steps):
    """Whatever comes and goes, never too many run, and nobody waits beside a free slot."""
    slots, tickets = Slots(limit, queue), []
    for step in steps:
        if step >= 0 or not tickets:
            try:
                tickets.append(slots.enter())
            except QueueFull:
                assert (slots.running, slots.waiting) == (limit, queue)
        else:
            tickets[step % len(tickets)].leave()
        assert slots.running <= limit
        assert slots.waiting <= queue
        assert slots.waiting == 0 or slots.running == limit
