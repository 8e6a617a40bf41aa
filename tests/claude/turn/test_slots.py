"""So many turns at once, so many in the queue, first in first out for each client, and fair over them."""

from __future__ import annotations

import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.turn.slots import Slots
from app.errors import QueueFull


def granted(tickets):
    return [ticket.decided.is_set() and ticket.refusal is None for ticket in tickets]


def test_order():
    """A slot that is given back goes to the one who waited longest."""
    slots = Slots(1, 2)
    tickets = [slots.enter() for _ in range(3)]
    assert granted(tickets) == [True, False, False]
    slots.leave(tickets[0])
    assert granted(tickets[1:]) == [True, False]
    assert (slots.running, slots.waiting) == (1, 1)


def test_full():
    """Beyond slots and queue a request is refused at once, and told that trying again helps."""
    slots = Slots(1, 1)
    tickets = [slots.enter(), slots.enter()]
    with pytest.raises(QueueFull) as caught:
        slots.enter()
    assert caught.value.headers() == {"x-should-retry": "true", "Retry-After": "5"}
    slots.leave(tickets[1])
    slots.enter()


def test_leave_twice():
    """Leaving again gives no second slot away."""
    slots = Slots(1, 3)
    first, second, third = (slots.enter() for _ in range(3))
    slots.leave(first)
    slots.leave(first)
    assert granted([second, third]) == [True, False]


def test_wake():
    """Who waits in another thread is woken when a slot is free."""
    slots = Slots(1, 1)
    first, second = slots.enter(), slots.enter()
    waiter = threading.Timer(0.02, slots.leave, [first])
    waiter.start()
    assert second.decided.wait(5)
    waiter.join()


def test_fair_slots():
    """A slot goes to the client that has the fewest, however long the others have waited."""
    slots = Slots(2, 8)
    greedy = [slots.enter("a") for _ in range(6)]
    other = [slots.enter("b") for _ in range(2)]
    slots.leave(greedy[0])
    assert granted(other) == [True, False]
    slots.leave(greedy[1])
    assert (granted(greedy[2:]), granted(other)) == ([True, False, False, False], [True, False])


def test_fair_queue():
    """In a full queue a client takes places from one that has more, the newest first, until both have as many."""
    slots = Slots(1, 4)
    greedy = [slots.enter("a") for _ in range(5)]
    other = [slots.enter("b") for _ in range(2)]
    assert granted(greedy[:3]) == [True, False, False]
    for ticket in greedy[3:]:
        assert ticket.decided.is_set()
        assert "place went to a client with fewer" in ticket.refusal.message
    for client in ("a", "b"):
        with pytest.raises(QueueFull, match="All 1 turns and 4 places"):
            slots.enter(client)
    for ticket in (*greedy, *other):
        slots.leave(ticket)
    assert (slots.running, slots.waiting) == (0, 0)


def test_prepared():
    """What has to wait for something else has its place in the queue, but no slot; the refusal tells of that."""
    slots = Slots(1, 1)
    first, second = slots.enter(prepared=False), slots.enter(prepared=False)
    with pytest.raises(QueueFull, match="2 requests wait already, for others of their session"):
        slots.enter(prepared=False)
    third = slots.enter()
    assert granted([first, second, third]) == [False, False, True]
    slots.prepare(second)
    slots.leave(third)
    assert granted([first, second]) == [False, True]
    slots.leave(first)
    slots.leave(second)
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
            slots.leave(tickets[step % len(tickets)])
        assert slots.running <= limit
        assert slots.waiting <= queue
        assert slots.waiting == 0 or slots.running == limit


def test_room_for_all():
    """Several tickets at once get in, or none does and nobody has lost a place; what never can is not to be retried."""
    slots = Slots(2, 4)
    slots.check_room("one", 6)
    with pytest.raises(QueueFull, match=r"asks for 7 turns at a time; this server has 2, and 4 places") as caught:
        slots.check_room("one", 7)
    assert caught.value.headers() == {"x-should-retry": "false"}
    tickets = [slots.enter("one") for _ in range(6)]
    with pytest.raises(QueueFull, match=r"2 of 2 turns and 4 of 4 places .* asks for 3; try again") as caught:
        slots.check_room("two", 3)
    assert caught.value.headers() == {"x-should-retry": "true", "Retry-After": "5"}
    assert [ticket.refusal for ticket in tickets] == [None] * 6
    slots.check_room("two", 2)
    for _ in range(2):
        slots.enter("two")
    with pytest.raises(QueueFull):
        slots.check_room("two", 1)


@given(st.integers(1, 3), st.integers(0, 4), st.lists(st.sampled_from("abc"), max_size=8), st.integers(1, 7))
def test_room_is_what_enter_finds(limit, queue, clients, number):
    """What is told of the room is what those that enter find."""
    slots = Slots(limit, queue)
    for client in clients:
        with contextlib.suppress(QueueFull):
            slots.enter(client)
    refused = 0
    try:
        slots.check_room("a", number)
    except QueueFull:
        refused = 1
    entered = 0
    with contextlib.suppress(QueueFull):
        for _ in range(number):
            slots.enter("a")
            entered += 1
    assert (entered < number) == bool(refused)
