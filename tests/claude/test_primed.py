"""Processes that wait with a recurring opening: made when it recurs, given to it alone, ended when not wanted."""

from __future__ import annotations

import dataclasses
import time

import hermetic
import msgspec
import pytest
from server import until

from app.claude import primed as module
from app.claude.lineage import lineage
from app.conversation import Conversation, Options, TextBlock, ThinkingBlock, ToolDefinition, Turn

HELLO = Conversation("sonnet", "Be kind.", (Turn("user", (TextBlock("Hello"),)),))


WANTED = {
    "CLAUDE_PROXY_SPARES": "0",
    "CLAUDE_PROXY_PRIMED": "1",
    "CLAUDE_PROXY_PASS_ENV": f"{hermetic.PASSED},FAKE_UNREWINDABLE,FAKE_VERSION,FAKE_DEAD",
}


@pytest.fixture
def supply(supply):
    """Give a function that opens a supply without spares."""
    return lambda **env: supply(**{**WANTED, **env})


def note(supply, conversation=HELLO, times=2):
    for _ in range(times):
        supply.primed.note(conversation, lineage(conversation)[0])


def take(supply, conversation=HELLO):
    return supply.take_kept(conversation, lineage(conversation), 0)


def ready(supply):
    until(lambda: supply.primed.ready == 1, what="a primed process")


def test_taken_by_the_same_opening_alone(supply):
    """The process goes, once, to a conversation whose model, system prompt, tools and options are the same."""
    one = supply()
    note(one)
    ready(one)
    tool = ToolDefinition("look", "", {"type": "object"})
    for other in (
        msgspec.structs.replace(HELLO, model="opus"),
        msgspec.structs.replace(HELLO, system="Be kind. "),
        msgspec.structs.replace(HELLO, tools=(tool,)),
        msgspec.structs.replace(HELLO, options=Options(effort="low")),
    ):
        assert take(one, other) is None
    again = msgspec.structs.replace(HELLO, turns=(Turn("user", (TextBlock("Something else"),)),))
    primed = take(one, again)
    assert primed is not None
    assert (primed.turns, primed.calls, primed.process.alive) == (0, frozenset(), True)
    assert take(one, again) is None
    one.dispose(primed.process, at_once=True, cause="turn_over")


def test_taken_for_a_replay(supply):
    """A conversation with a history, thinking in it too, is told to it from its first turn on."""
    one = supply()
    note(one)
    ready(one)
    said = Turn("assistant", (ThinkingBlock("Hm.", "c2ln"), TextBlock("Hi.")))
    primed = take(one, msgspec.structs.replace(HELLO, turns=(*HELLO.turns, said, *HELLO.turns)))
    assert primed is not None
    assert primed.turns == 0
    one.dispose(primed.process, at_once=True, cause="turn_over")


def test_not_for_what_comes_once(supply):
    """An opening that does not recur starts no process."""
    one = supply()
    note(one, times=1)
    note(one, msgspec.structs.replace(HELLO, system="Another."), times=1)
    time.sleep(0.3)
    assert one.registry.starts == {}


@pytest.mark.parametrize(
    "env",
    [{"CLAUDE_PROXY_PRIMED": "0"}, {"unproven": True}],
    ids=["not wanted", "not proven"],
)
def test_not_at_all(supply, env):
    """Where none is wanted, or the CLI is not proven, no process is started for it."""
    one = supply(**env)
    note(one, times=4)
    time.sleep(0.3)
    assert one.registry.starts == {}


def test_not_with_tools_of_its_own(supply):
    """An agent is not given a line of ours: it may run its user's hooks on it."""
    one = supply()
    note(one, msgspec.structs.replace(HELLO, own_tools=("Bash",)), times=4)
    time.sleep(0.3)
    assert one.registry.starts == {}


def test_one_that_does_not_go_back(supply, monkeypatch):
    """A CLI that keeps our line is ended before anybody gets it, and no other one is tried."""
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.0)
    one = supply(FAKE_UNREWINDABLE="1")
    note(one)
    until(lambda: one.registry.starts["primed"] == 1 and len(one.registry) == 0, what="its end")
    note(one)
    time.sleep(0.3)
    assert one.registry.starts["primed"] == 1
    assert take(one) is None


def test_one_that_dies(supply):
    """A CLI that ends while it is primed is forgotten; for a while no other is started."""
    one = supply(FAKE_DEAD="1")
    note(one)
    until(lambda: one.registry.starts["primed"] == 1 and len(one.registry) == 0, what="its end")
    note(one)
    time.sleep(0.3)
    assert one.registry.starts["primed"] == 1
    assert one.primed.ready == 0


def test_dead_ones_are_not_given(supply):
    """A primed process that has died is not given to a turn."""
    one = supply()
    note(one)
    ready(one)
    (waiting,) = one.primed._waiting.values()
    waiting.process.kill()
    until(lambda: not waiting.process.alive, what="its end")
    assert take(one) is None


def test_age(supply, monkeypatch):
    """One that nobody has taken in time is ended, and its opening has to recur again."""
    monkeypatch.setattr(module, "INSPECTION", 0.05)
    one = supply(CLAUDE_PROXY_KEEP_SECONDS="3")
    note(one)
    ready(one)
    until(lambda: one.primed.ready == 0 and len(one.registry) == 0, what="its end")
    note(one, times=1)
    time.sleep(0.3)
    assert one.registry.starts["primed"] == 1


def test_upgrade(supply, monkeypatch):
    """After an upgrade of the CLI one that runs the old one is ended, and another made."""
    monkeypatch.setattr(module, "INSPECTION", 0.05)
    one = supply()
    note(one)
    ready(one)
    (old,) = one.primed._waiting.values()
    newer = dataclasses.replace(one.locator.current(), stamp=(1, 2, 3))
    monkeypatch.setattr(one.locator, "current", lambda: newer)
    monkeypatch.setattr(one.primed, "_current", lambda: newer)
    until(lambda: not old.process.alive, what="the old one's end")
    ready(one)
    assert take(one).binary == newer


def test_gives_way(supply):
    """When another opening recurs more often, the process that waits with the first is ended."""
    one = supply()
    note(one)
    ready(one)
    other = msgspec.structs.replace(HELLO, system="Another.")
    note(one, other, times=4)
    until(lambda: one.registry.starts["primed"] == 2 and one.primed.ready == 1, what="the other")
    until(lambda: len(one.registry) == 1, what="the first one's end")
    assert take(one) is None
    assert take(one, other) is not None


def test_scarce_memory(supply, monkeypatch):
    """Where memory is scarce none is primed, and one that waits is ended."""
    monkeypatch.setattr(module, "INSPECTION", 0.05)
    one = supply()
    note(one)
    ready(one)
    monkeypatch.setattr(module, "memory_is_scarce", lambda: True)
    until(lambda: one.primed.ready == 0 and len(one.registry) == 0, what="its end")
    note(one)
    time.sleep(0.3)
    assert one.registry.starts["primed"] == 1


def test_close(supply):
    """At the end none is left, and none is begun."""
    one = supply()
    note(one)
    ready(one)
    one.stop()
    until(lambda: len(one.registry) == 0, what="its end")
    note(one)
    assert one.primed.ready == 0
