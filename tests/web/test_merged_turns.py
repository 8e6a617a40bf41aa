"""Several turns of one request: the first failure ends them all, and is told as what it was."""

from __future__ import annotations

import threading

import pytest
from server import until

from app.cancellation import Cancellation
from app.conversation import Conversation, Message, TextBlock
from app.errors import ClientGone, CliFailed
from app.web import merged_turns as module
from app.web.merged_turns import MergedTurns
from app.web.state import state


class FakeRun:
    """Waits until it is cancelled or `go` is set, then ends by raising `error`, if any."""

    def __init__(self, error=None):
        self.cancellation, self.stop_reason, self.error = Cancellation(), None, error
        self.go, self.closed = threading.Event(), threading.Event()
        self.cancellation.on_cancel(self.go.set)

    def __iter__(self):
        assert self.go.wait(10)
        if self.error is not None:
            raise self.error
        yield []
        self.cancellation.check()

    def close(self):
        self.closed.set()


def test_the_others_are_ended_for_the_same_reason():
    """Where one choice fails the others end for that, and nobody takes it for a client that left."""
    runs = [FakeRun(), FakeRun(CliFailed("It broke.")), FakeRun()]
    merged = MergedTurns(runs)
    runs[1].go.set()
    with pytest.raises(CliFailed):
        list(merged)
    merged.close()
    assert {type(run.cancellation.reason) for run in runs} == {CliFailed}
    assert all(run.closed.is_set() for run in runs)


def test_client_that_left():
    """Closed before its end, it ends every turn, as one whose client left."""
    runs = [FakeRun(), FakeRun()]
    merged = MergedTurns(runs)
    batches = iter(merged)
    threading.Timer(0.05, runs[0].go.set).start()
    assert next(batches) == []
    merged.close()
    until(lambda: all(run.closed.is_set() for run in runs), what="the end of both")
    assert {type(run.cancellation.reason) for run in runs} == {ClientGone}


HELLO = Conversation("sonnet", "", (Message("user", (TextBlock("answer"),)),))


def test_close_of_a_run_that_another_thread_is_in(app, monkeypatch):
    """A turn that cannot be ended in time is closed by the thread that is in it: nothing fails, and all comes back."""
    monkeypatch.setattr(module, "MAX_END_SECONDS", 0.05)
    monkeypatch.setattr(module, "TICK_SECONDS", 0.2)
    pool = state(app).backend
    inside, leave = threading.Event(), threading.Event()
    serving = pool.processes.locator.serving

    def slow(conversation):
        inside.set()
        assert leave.wait(10)
        return serving(conversation)

    monkeypatch.setattr(pool.processes.locator, "serving", slow)
    run = pool.run(HELLO, Cancellation())
    merged = MergedTurns([run])
    assert next(iter(merged)) == []
    assert inside.is_set()
    merged.close()
    run.close()
    assert pool._turns == {run}
    leave.set()
    until(lambda: pool.slots.running == 0 and not pool._turns, what="the slot")
