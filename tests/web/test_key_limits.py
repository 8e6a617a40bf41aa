"""What one key may ask for at a time and in a minute, and that no count is left behind."""

from __future__ import annotations

import threading

import pytest

from app.errors import KeyBusy, KeyRateLimited
from app.web.key_limits import KeyLimits


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_no_limits():
    """A limit of 0 is none."""
    limits = KeyLimits(0, 0)
    for _ in range(1000):
        limits.enter("a")
    assert limits.running("a") == 1000


def test_concurrency():
    """A key has its own number of places, and an ended request gives its place back, once."""
    limits = KeyLimits(2, 0)
    first, _ = limits.enter("a"), limits.enter("a")
    limits.enter("b")
    with pytest.raises(KeyBusy) as caught:
        limits.enter("a")
    assert (caught.value.status, caught.value.code) == (429, "key_concurrency_limit")
    assert caught.value.should_retry
    assert caught.value.retry_after > 0
    for _ in range(3):
        first.release()
    assert limits.running("a") == 1
    limits.enter("a")
    with pytest.raises(KeyBusy):
        limits.enter("a")


def test_rate():
    """A key may make so many requests in any minute; the refusal says when the next one may, and does not count."""
    clock = Clock()
    limits = KeyLimits(0, 2, clock)
    limits.enter("a")
    clock.now += 20
    limits.enter("a")
    limits.enter("b")
    for _ in range(5):
        with pytest.raises(KeyRateLimited) as caught:
            limits.enter("a")
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (429, "key_rate_limit", 40)
    assert caught.value.should_retry
    clock.now += 39.99
    with pytest.raises(KeyRateLimited) as caught:
        limits.enter("a")
    assert caught.value.retry_after == 1
    clock.now += 0.02
    limits.enter("a")
    with pytest.raises(KeyRateLimited):
        limits.enter("a")


def test_refusals_count_nowhere():
    """A request refused for one limit does not use up the other."""
    limits = KeyLimits(1, 2, Clock())
    hold = limits.enter("a")
    for _ in range(5):
        with pytest.raises(KeyBusy):
            limits.enter("a")
    hold.release()
    limits.enter("a").release()
    with pytest.raises(KeyRateLimited):
        limits.enter("a")
    assert limits.running("a") == 0


def test_turns():
    """A request with several turns counts as so many; one that could never be served is not to be tried again."""
    limits = KeyLimits(3, 0)
    first, second = limits.enter("a"), limits.enter("a")
    first.take(2)
    assert limits.running("a") == 3
    with pytest.raises(KeyBusy, match="2 turns running or waiting, and this request asks for 3;") as caught:
        second.take(3)
    assert caught.value.should_retry
    with pytest.raises(KeyBusy, match="asks for 4 turns at a time; the API key a may have 3") as caught:
        second.take(4)
    assert not caught.value.should_retry
    for hold in (first, first, second):
        hold.release()
    assert limits.running("a") == 0


def test_many_threads():
    """Requests that come and go at the same time are all counted."""
    limits = KeyLimits(0, 0)

    def come_and_go():
        for _ in range(2000):
            limits.enter("a").release()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limits.running("a") == 0
