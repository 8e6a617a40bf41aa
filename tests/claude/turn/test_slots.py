"""So many turns at once, so many in the queue, first in first out for each client, and fair over them."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.turn.slots import Slots
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


def test_fair_slots():
    """A slot goes to the client that has the fewest, however long the others have waited."""
    slots = Slots(2, 8)
    greedy = [slots.enter("a") for _ in range(6)]
    other = [slots.enter("b") for _ in range(2)]
    greedy[0].leave()
    assert granted(other) == [True, False]
    greedy[1].leave()
    assert (granted(greedy[2:]), granted(other)) == ([True, False, False, False], [True, False])


def test_fair_queue():
    """In a full queue a client takes places from one that has more, the newest first, until both have as many."""
    slots = Slots(1, 4)
    greedy = [slots.enter("a") for _ in range(5)]
    other = [slots.enter("b") for _ in range(2)]
    assert granted(greedy[:3]) == [True, False, False]
    for ticket in greedy[3:]:
        with pytest.raises(QueueFull, match="place went to a client with fewer"):
            ticket.wait(0)
    for client in ("a", "b"):
        with pytest.raises(QueueFull, match="All 1 turns and 4 places"):
            slots.enter(client)
    for ticket in (*greedy, *other):
        ticket.leave()
    assert (slots.running, slots.waiting) == (0, 0)


def test_prepared():
    """What has to wait for something else has its place in the queue, but no slot; the refusal tells of that."""
    slots = Slots(1, 1)
    first, second = slots.enter(prepared=False), slots.enter(prepared=False)
    with pytest.raises(QueueFull, match="2 requests wait already, for others of their session"):
        slots.enter(prepared=False)
    third = slots.enter()
    assert granted([first, second, third]) == [False, False, True]
    second.prepare()
    third.leave()
    assert granted([first, second]) == [False, True]
    first.leave()
    second.leave()
    assert (slots.running, slots.waiting) == (0, 0)


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
