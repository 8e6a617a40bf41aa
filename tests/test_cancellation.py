"""A turn is cancelled once, for the first reason, and whoever waits is called."""

from __future__ import annotations

import threading

import pytest

from app.cancellation import Cancellation
from app.errors import ClientGone, ShuttingDown


@pytest.fixture
def calls():
    return []


def test_callback(calls):
    """The registered callback is called, once."""
    cancellation = Cancellation()
    cancellation.on_cancel(lambda: calls.append(1))
    cancellation.cancel(ClientGone("left"))
    cancellation.cancel(ClientGone("left again"))
    assert calls == [1]


def test_late_callback(calls):
    """Who registers after the cancellation is called at once."""
    cancellation = Cancellation()
    cancellation.cancel(ClientGone("left"))
    cancellation.on_cancel(lambda: calls.append(1))
    assert calls == [1]


def test_replaced_callback(calls):
    """Only the last callback is called; None withdraws it."""
    cancellation = Cancellation()
    cancellation.on_cancel(lambda: calls.append(1))
    cancellation.on_cancel(lambda: calls.append(2))
    cancellation.on_cancel(None)
    cancellation.cancel(ClientGone("left"))
    assert calls == []


def test_first_reason():
    """The first reason stays, and is what is raised."""
    cancellation = Cancellation()
    cancellation.check()
    cancellation.cancel(ClientGone("left"))
    cancellation.cancel(ShuttingDown("stopping"))
    with pytest.raises(ClientGone, match="left"):
        cancellation.check()


def test_callback_may_look(calls):
    """A callback sees the reason, and may use the cancellation without a deadlock."""
    cancellation = Cancellation()

    def look():
        calls.append(type(cancellation.reason))
        cancellation.cancel(ShuttingDown("again"))
        cancellation.on_cancel(None)

    cancellation.on_cancel(look)
    cancellation.cancel(ClientGone("left"))
    assert calls == [ClientGone]


def test_threads(calls):
    """However registering and cancelling race, the callback is called exactly once."""
    for _ in range(200):
        cancellation = Cancellation()
        barrier = threading.Barrier(2)

        def cancel(cancellation=cancellation, barrier=barrier):
            barrier.wait()
            cancellation.cancel(ClientGone("left"))

        thread = threading.Thread(target=cancel)
        thread.start()
        barrier.wait()
        cancellation.on_cancel(lambda: calls.append(1))
        thread.join()
    assert len(calls) == 200
