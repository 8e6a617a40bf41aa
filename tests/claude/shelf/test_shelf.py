"""Which process answers, which wait, for how long, and which are given up first."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.agents.agent import Agent, Workplace
from app.claude.cli.binary import Binary
from app.claude.cli.proofs import Capabilities
from app.claude.shelf import shelf as module
from app.claude.shelf.memory import Line, digests_of, steps
from app.claude.shelf.shelf import LINGER_SECONDS, MAX_AGE_SECONDS, MAX_CONVERSATIONS, Shelf, Waiting
from app.conversation import Conversation, Message, TextBlock
from app.errors import CliFailed

ABLE = Binary(Path("/claude"), (2, 1, 330), (1, 1, 1), Capabilities(composed=True, going_back=True, quick_history=True))
AGENT = Workplace(Agent(name="notes"), ("Bash",))
OLD = Binary(Path("/claude"), (2, 1, 120), (1, 1, 1), Capabilities())


class FakeProcess:
    """Lives until it is ended."""

    pid = 1

    def __init__(self):
        self.alive, self.killed, self.started = True, False, time.monotonic()

    def write(self, data, seconds):
        raise CliFailed("It does not take anything.")

    def kill(self):
        self.alive, self.killed = False, True


class FakeRegistry:
    """Notes what is to be ended, in order."""

    def __init__(self):
        self.disposed = []

    def dispose(self, process, *, at_once, cause, before=lambda: None):
        before()
        process.alive = False
        self.disposed.append(process)


class Rig:
    """A shelf, so many turns that run, and processes to put on it."""

    def __init__(self, limit=4, seconds=60.0, allowed=8, binary=ABLE):
        self.registry, self.running, self.binary = FakeRegistry(), 1, binary
        self.shelf = Shelf(limit, seconds, allowed=allowed, running=lambda: self.running, registry=self.registry)

    def put(self, *texts, ready=True, calls=(), **fields):
        """Put a process on it that was told this conversation, or nothing."""
        waiting = Waiting(FakeProcess(), self.binary, ready=ready)
        for name, value in fields.items():
            setattr(waiting, name, value)
        if texts:
            digests, told = talk(*texts)
            waiting.memory.setup = digests[0]
            for number, digest in enumerate(digests[1:]):
                named = f"line {number}" if told[number].role == "user" else None
                waiting.memory.add(Line(digest, named, named is not None))
            waiting.memory.calls, waiting.channel.idle = frozenset(calls), not calls
        self.shelf.put(waiting)
        return waiting

    def take(self, *texts, binary=None):
        taken = self.shelf.take(*talk(*texts), None, binary or self.binary)
        return None if taken is None else (taken.waiting, taken.place)


def talk(*texts):
    roles = ("user", "assistant") * len(texts)
    messages = tuple(Message(role, (TextBlock(text),)) for role, text in zip(roles, texts, strict=False))
    return digests_of(Conversation("sonnet", "", messages), steps(messages)), steps(messages)


@pytest.fixture
def plenty(monkeypatch):
    """The machine has memory, whatever else runs on it."""
    monkeypatch.setattr(module, "memory_is_scarce", lambda: False)


pytestmark = pytest.mark.usefixtures("plenty")


def test_the_longest_beginning():
    """The process that knows most of a conversation answers it, once."""
    rig = Rig()
    short, long = rig.put("1", "2"), rig.put("1", "2", "3", "4")
    assert rig.take("1", "2", "3", "4", "5") == (long, 4)
    assert rig.take("1", "2", "3", "4", "5") == (short, 2)
    assert rig.take("1", "2", "3", "4", "5") is None
    assert rig.registry.disposed == []


def test_no_need_to_go_back():
    """Of two that know as much the one is taken that need not go back, and another's conversation is left alone."""
    rig = Rig()
    exact, further = rig.put("1", "2"), rig.put("1", "2", "3", "4")
    assert rig.take("1", "2", "three") == (exact, 2)
    assert rig.take("1", "2", "three") == (further, 2)


def test_a_new_conversation():
    """One that begins anew is had by the process of a short conversation, or of one whose place is needed anyway."""
    rig = Rig(limit=2)
    spare, long = rig.put(), rig.put("1", "2", "3", "4")
    assert rig.take("new") is None  # the spare is for it
    short = rig.put("a", "b")
    assert rig.take("new") == (short, 0)
    other = rig.put("5", "6", "7", "8")
    assert rig.take("new") == (long, 0)
    assert rig.shelf.take_spare(None, ABLE) is spare
    assert rig.take("new") == (other, 0)


def test_a_parked_one_is_not_for_a_new_conversation():
    """Whoever is to bring results finds the process that waits for them; one who edits the question gets it, too."""
    rig = Rig(limit=1)
    parked = rig.put("1", "2", calls=["a"])
    assert (rig.shelf.idle, rig.shelf.parked) == (0, 1)
    assert rig.take("new") is None
    further = rig.put("1", "2", "3", "4", calls=["a"])
    assert rig.take("1", "2", "three") == (further, 2)
    assert rig.take("1", "2", "three") == (parked, 0)


def test_older_versions():
    """Where a process cannot go back it is for the exact continuation alone."""
    rig = Rig(binary=OLD)
    one = rig.put("1", "2")
    assert rig.take("new") is None
    assert rig.take("1", "two", "3") is None
    assert rig.take("1", "2", "3") == (one, 2)


def test_agents():
    """An agent's process never goes back: it knows more than it was told."""
    rig = Rig()
    digests, told = talk("1", "2", "three")
    rig.put("1", "2", "3", "4")
    assert rig.shelf.take(digests, told, AGENT, ABLE) is None
    assert rig.shelf.take(digests, told, None, ABLE) is not None


def test_spares():
    """A spare is given once, a ready one first, and only to those of the same workplace."""
    rig = Rig()
    starting, ready = rig.put(ready=False), rig.put()
    agent = rig.put(workplace=AGENT)
    assert rig.shelf.take_spare(None, ABLE) is ready
    assert rig.shelf.take_spare(None, ABLE) is starting
    assert rig.shelf.take_spare(None, ABLE) is None
    assert rig.shelf.take_spare(AGENT, ABLE) is agent


@pytest.mark.parametrize("what", ["dead", "another executable"])
def test_what_is_of_no_use(what):
    """One that died while it waited, and all that run another executable, are passed over and ended."""
    rig = Rig()
    told, spare = rig.put("1", "2"), rig.put()
    binary = ABLE
    if what == "dead":
        told.process.alive = spare.process.alive = False
    else:
        binary = Binary(ABLE.path, (2, 1, 331), (2, 2, 2), ABLE.capabilities)
    assert rig.take("1", "2", "3", binary=binary) is None
    assert rig.shelf.take_spare((), binary) is None
    assert set(rig.registry.disposed) == {told.process, spare.process}


def test_a_proof_that_comes_later():
    """What an executable is found to be able to do does not make it another."""
    rig = Rig(binary=OLD)
    one = rig.put("1", "2")
    able = Binary(OLD.path, OLD.version, OLD.stamp, ABLE.capabilities)
    assert rig.take("1", "two", binary=able) == (one, 0)


def test_room_for_turns():
    """Those that wait and the turns that run are no more than turns are allowed; the longest unused go first."""
    rig = Rig(limit=4, allowed=3)
    one, two, three = (rig.put(text, "2", "3", "4") for text in "abc")
    assert rig.registry.disposed == []
    rig.shelf.make_room(2)
    assert rig.registry.disposed == [one.process, two.process]
    rig.running = 3
    rig.put("d", "2", "3", "4")
    assert rig.registry.disposed == [one.process, two.process, three.process]


def test_when_all_is_quiet(monkeypatch):
    """A burst's processes wait on for a moment; then so many are left as are wanted, and after their time none."""
    rig = Rig(limit=2, seconds=60)
    burst = [rig.put(str(number), "2") for number in range(5)]
    spare = rig.put()
    rig.shelf.tidy(ABLE)
    assert rig.registry.disposed == []
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + LINGER_SECONDS)
    rig.shelf.tidy(ABLE)
    assert rig.registry.disposed == [one.process for one in burst[:3]]
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    rig.shelf.tidy(ABLE)
    assert rig.registry.disposed == [one.process for one in burst]
    assert rig.shelf.count(lambda one: one is spare) == 1


def test_calls_that_nobody_answers(monkeypatch):
    """They are handed out to be undone."""
    rig = Rig()
    parked = rig.put("1", "2", calls=["a"])
    assert rig.shelf.tidy(ABLE) == []
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert rig.shelf.tidy(ABLE) == [parked]
    assert rig.shelf.parked == 0
    assert parked.process.alive


@pytest.mark.parametrize("why", ["conversations", "age"])
def test_worn(why):
    """A process is replaced after many conversations, or an hour."""
    rig = Rig()
    waiting = Waiting(FakeProcess(), ABLE)
    waiting.memory.setup = b""
    if why == "age":
        waiting.process.started -= MAX_AGE_SECONDS + 1
    else:
        waiting.conversations = MAX_CONVERSATIONS
    rig.shelf.put(waiting)
    assert rig.registry.disposed == [waiting.process]


def test_left_behind():
    """Before the least recently used go those whose client, by its own hint, has gone on in another."""
    rig = Rig(allowed=2)
    old = rig.put("a", "b", "c", "d")
    behind = rig.put("1", "2", "3", "4", affinity="x")
    ahead = rig.put("5", "6", "7", "8", affinity="x")
    assert rig.registry.disposed == [behind.process]
    rig.shelf.make_room(1)
    assert rig.registry.disposed == [behind.process, old.process]
    assert ahead.process.alive


def test_hints_of_others():
    """A hint says nothing of another key's conversations, also where it is the same."""
    rig = Rig(allowed=2)
    old = rig.put("1", "2", "3", "4", affinity="x", owner="bea")
    rig.put("a", "b", "c", "d", affinity="x", owner="ann")
    rig.put("5", "6", "7", "8", affinity="x", owner="ann")
    assert rig.registry.disposed != [old.process]


def test_parked_ones_are_killed():
    """At the end of its input a parked process would ask the API once more."""
    rig = Rig()
    parked, idle = rig.put("1", "2", calls=["a"]), rig.put("1", "2")
    rig.shelf.close()
    assert (parked.process.killed, idle.process.killed) == (True, False)


def test_closed():
    """After the close nothing waits, whenever it comes; without a limit only spares do."""
    rig = Rig()
    rig.shelf.close()
    late = [rig.put("1", "2"), rig.put()]
    assert rig.registry.disposed == [one.process for one in late]
    rig = Rig(limit=0)
    spare, told = rig.put(), rig.put("1", "2")
    assert rig.registry.disposed == [told.process]
    assert not rig.shelf.undoes(told)
    assert Rig().shelf.undoes(told)
    assert spare.process.alive


def test_scarce_memory(monkeypatch):
    """Where memory is scarce no conversation waits; a spare does."""
    rig = Rig()
    before, spare = rig.put("1", "2"), rig.put()
    monkeypatch.setattr(module, "memory_is_scarce", lambda: True)
    rig.shelf.tidy(ABLE)
    after = rig.put("1", "2")
    assert rig.registry.disposed == [before.process, after.process]
    assert spare.process.alive


def test_a_key_that_is_revoked():
    """With a key go the processes that were told its words."""
    rig = Rig()
    its, others = rig.put("1", "2", owner="one"), rig.put("1", "2", owner="two")
    rig.put()
    rig.shelf.give_up_of("one")
    assert rig.registry.disposed == [its.process]
    assert others.process.alive
