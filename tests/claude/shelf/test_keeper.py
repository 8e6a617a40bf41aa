"""What is done off the request path: spares are ready before they are asked for, and nothing is leaked."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path

import pytest
from server import until

from app.claude.cli.binary import Binary
from app.claude.shelf.keeper import Keeper
from app.claude.shelf.shelf import MAX_AGE_SECONDS, Shelf, Waiting
from app.errors import CliFailed
from app.models import Catalogue
from claude import cli_lines as cli

BINARY = Binary(Path("/claude"), (2, 1, 330), (1, 1, 1))
MODELS = [{"value": "opus", "resolvedModel": "claude-opus-5"}]


class FakeProcess:
    """Answers what it is told to, once it has been written to."""

    pid, exit_code, stderr_tail = 1, None, ""

    def __init__(self, *answers, write_error=None):
        self.alive, self.started = True, time.monotonic()
        self.written = b""
        self._answers, self._write_error = list(answers), write_error

    def write(self, data, timeout):
        if self._write_error:
            raise self._write_error
        self.written += data

    def readable(self, timeout):
        if not self._answers:
            time.sleep(0.01)
        return bool(self._answers)

    def read(self, timeout):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer]


class FakeRegistry:
    """Notes what is to be ended, in order."""

    def __init__(self):
        self.disposed = []

    def dispose(self, process, *, at_once, cause="surplus"):
        process.alive = False
        self.disposed.append(process)


class Rig:
    """A keeper, and a list of processes to start; an exception in it is raised instead."""

    def __init__(self, count, *script):
        self.script, self.started, self.binary = list(script), [], BINARY
        self.registry, self.catalogue = FakeRegistry(), Catalogue()
        self.shelf = Shelf(4, 60, allowed=8, running=lambda: 0, registry=self.registry)
        self.keeper = Keeper(
            self.shelf,
            {None: count},
            current=lambda: self.binary,
            start=lambda workplace: self._start(),
            undo=self.registry.disposed.append,
            registry=self.registry,
            catalogue=self.catalogue,
        )

    def _start(self):
        item = self.script.pop(0) if self.script else good()
        if isinstance(item, Exception):
            raise item
        self.started.append(item)
        return Waiting(item, BINARY)

    @property
    def ready(self):
        return self.keeper.spares()["ready"]

    def take(self, binary=BINARY):
        return self.shelf.take_spare(None, binary)

    def close(self):
        self.keeper.close()
        self.shelf.close()

    def open(self):
        self.keeper.open()
        return self


def good():
    return FakeProcess(cli.control("list_models-1", response={"models": MODELS}))


@pytest.fixture
def rig(monkeypatch):
    """Give a function that makes a rig with short pauses; its thread has ended when the test has."""
    for name, value in {
        "INSPECTION_SECONDS": 0.02,
        "FIRST_PAUSE_SECONDS": 0.02,
        "MAX_PAUSE_SECONDS": 0.05,
        "START_SECONDS": 0.3,
    }.items():
        monkeypatch.setattr(f"app.claude.shelf.keeper.{name}", value)
    rigs = []

    def make(*args):
        rigs.append(Rig(*args))
        return rigs[-1]

    yield make
    for made in rigs:
        made.close()
        if made.keeper._thread.ident is not None:
            made.keeper._thread.join(5)
            assert not made.keeper._thread.is_alive()


def test_ready(rig):
    """So many as wanted get ready, and tell the login's models without a model call."""
    made = rig(2).open()
    until(lambda: made.ready == 2)
    assert b'"list_models"' in made.started[0].written
    assert any(entry["id"] == "claude-opus-5" for entry in made.catalogue.entries())


def test_older_versions(rig):
    """A version that knows no `list_models` is ready all the same."""
    made = rig(1, FakeProcess(cli.control("list_models-1", subtype="error", error="Unknown request"))).open()
    until(lambda: made.ready == 1)


def test_take_and_refill(rig):
    """A spare is given once, and replaced when asked for."""
    made = rig(1).open()
    until(lambda: made.ready == 1)
    spare = made.take()
    assert spare.process is made.started[0]
    made.keeper.wake()
    until(lambda: made.ready == 1)
    assert made.take().process is made.started[1]
    assert made.registry.disposed == []


def test_take_while_starting(rig):
    """A spare that is still starting is given, and nobody reads its lines any longer."""
    starting = FakeProcess()
    made = rig(1, starting).open()
    spare = until(made.take)
    assert (spare.process, spare.ready) == (starting, False)
    until(lambda: made.ready == 1)
    assert starting not in made.registry.disposed


def test_none_wanted(rig):
    """Without spares there is none to take, and nothing is started."""
    made = rig(0).open()
    time.sleep(0.05)
    assert made.take() is None
    assert made.started == []


@pytest.mark.parametrize("reason", ["dead", "old", "another binary"])
def test_unfit(rig, reason):
    """A dead spare, an old one and one of a replaced executable are ended, not used."""
    made = rig(1).open()
    until(lambda: made.ready == 1)
    first = made.started[0]
    wanted = BINARY
    if reason == "dead":
        first.alive = False
    elif reason == "old":
        first.started -= MAX_AGE_SECONDS + 1
        made.keeper.wake()
        until(lambda: first in made.registry.disposed)
    else:
        made.binary = wanted = dataclasses.replace(BINARY, stamp=(2, 2, 2))
        made.keeper.wake()
    found = made.take(wanted)
    assert found is None or found.process is not first
    until(lambda: first in made.registry.disposed)


@pytest.mark.parametrize(
    "broken",
    [
        FakeProcess(CliFailed("It ended.")),
        FakeProcess(b"this is not JSON"),
        FakeProcess(),
        FakeProcess(write_error=CliFailed("It ended.")),
        FakeProcess(ValueError("nobody foresaw this")),
    ],
    ids=["dies", "babbles", "is silent", "takes no input", "surprises"],
)
def test_failed_start_leaves_nothing(rig, broken):
    """A process that does not get ready is ended, and the next try gives a spare."""
    made = rig(1, broken).open()
    until(lambda: made.ready == 1)
    assert made.registry.disposed == [broken]


def test_problem(rig, caplog):
    """A CLI that cannot be started is a known problem, logged once, until it can."""
    made = rig(1, *[CliFailed("No claude.", code="cli_missing")] * 3).open()
    until(lambda: made.keeper.problem)
    assert made.keeper.problem.message == "No claude."
    until(lambda: made.ready == 1)
    until(lambda: made.keeper.problem is None)
    assert caplog.text.count("No claude.") == 1


def test_close(rig):
    """Closing ends what waits and starts nothing more; twice is harmless."""
    made = rig(2).open()
    until(lambda: made.ready == 2)
    made.close()
    made.close()
    made.keeper.wake()
    made.keeper._thread.join(5)
    assert sorted(map(id, made.registry.disposed)) == sorted(map(id, made.started))
    assert made.take() is None


def test_close_during_a_start(rig):
    """A process whose start ends after the close is ended too."""
    made = rig(1)
    entered, leave = threading.Event(), threading.Event()
    start = made._start

    def slow():
        entered.set()
        leave.wait(5)
        return start()

    made._start = slow
    made.open()
    assert entered.wait(5)
    made.close()
    leave.set()
    until(lambda: made.started and made.registry.disposed == made.started)


def test_ask(rig):
    """A question to a waiting process is answered by it, whatever else it says, and the process goes on waiting."""
    process = good()
    made = rig(1, process)
    assert made.keeper.ask("get_usage", 0.1) is None  # none is ready
    made.open()
    until(lambda: made.ready == 1)
    process._answers += [
        cli.control("other"),
        cli.acknowledged(),
        cli.control("get_usage-2", response={"rate_limits": 1}),
    ]
    assert made.keeper.ask("get_usage", 5).payload() == {"rate_limits": 1}
    assert b'"get_usage"' in process.written
    assert made.ready == 1


def test_ask_a_process_that_is_taken(rig):
    """A turn takes the process in the middle of the question; nobody else reads its lines then."""
    process = good()
    made = rig(1, process).open()
    until(lambda: made.ready == 1)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(made.keeper.ask("get_usage", 10)))
    asking.start()
    until(lambda: b'"get_usage"' in process.written)
    assert made.take().process is process
    asking.join(5)
    process._answers.append(cli.control("get_usage-2"))
    assert (answers, len(process._answers)) == ([None], 1)


def test_ask_in_vain(rig):
    """A process that does not answer is not waited for, and one that ends raises."""
    process = good()
    made = rig(1, process).open()
    until(lambda: made.ready == 1)
    assert made.keeper.ask("get_usage", 0.05) is None
    process._answers.append(CliFailed("It ended."))
    with pytest.raises(CliFailed):
        made.keeper.ask("get_usage", 5)
