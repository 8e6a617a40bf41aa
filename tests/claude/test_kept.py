"""Which processes are kept, for what, and for how long."""

from __future__ import annotations

import dataclasses
import time

import msgspec
import pytest
from server import until

from app.claude import kept as module
from app.claude.binary import Binary
from app.claude.kept import LONGEST_RESULT, Kept, KeptProcesses
from app.claude.lineage import extended, lineage
from app.claude.registry import Registry
from app.claude.tools import ToolServer
from app.conversation import (
    Conversation,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    UrlSource,
)

WAIT = "import sys; sys.stdin.read()"
OPENING = Conversation("sonnet", "", (Turn("user", (TextBlock("Hello"),)),))


@pytest.fixture
def registry(tmp_path):
    registry = Registry(tmp_path)
    yield registry
    registry.close()


@pytest.fixture
def binary(fake):
    return Binary(fake, (2, 1, 330), (0, 0, 0))


@pytest.fixture
def keep(spawn, binary):
    """Give a function that keeps a process for the conversation in which the assistant said `text`."""

    def put(shelf, text, calls=()):
        said = Turn("assistant", (TextBlock(text), *(ToolUseBlock(call, "look", {}) for call in calls)))
        digest = extended(lineage(OPENING)[-1], said)
        kept = Kept(spawn(WAIT), binary, ToolServer(()), digest, 2, frozenset(calls))
        shelf.put(kept)
        return kept, said

    return put


def following(said, *blocks):
    turns = (*OPENING.turns, said, Turn("user", blocks or (TextBlock("Go on"),)))
    return msgspec.structs.replace(OPENING, turns=turns)


def take(shelf, conversation, binary):
    return shelf.take(conversation, lineage(conversation), binary)


def test_the_exact_continuation_takes_it_once(registry, binary, keep):
    """The process goes to the request that goes on where it is, and to no second one."""
    shelf = KeptProcesses(4, 60, registry)
    kept, said = keep(shelf, "Hi.")
    other = Turn("assistant", (TextBlock("Hi!"),))
    assert take(shelf, OPENING, binary) is None
    assert take(shelf, following(other), binary) is None
    assert take(shelf, following(said), binary) is kept
    assert take(shelf, following(said), binary) is None
    assert kept.process.alive


def test_longest_part(registry, binary, keep):
    """Of two processes the one that has more of the conversation is taken."""
    shelf = KeptProcesses(4, 60, registry)
    _, said = keep(shelf, "Hi.")
    longer = following(said)
    digest = extended(lineage(longer)[-1], said)
    first = shelf.take(longer, lineage(longer), binary)
    shelf.put(first)
    second = msgspec.structs.replace(longer, turns=(*longer.turns, said, longer.turns[-1]))
    shelf.put(Kept(first.process, binary, ToolServer(()), digest, 4))
    assert take(shelf, second, binary).turns == 4
    assert take(shelf, second, binary).turns == 2


def test_bounds(registry, binary, keep):
    """The least recently used is given up for the newest; nothing is kept after `close`."""
    shelf = KeptProcesses(2, 60, registry)
    (one, _), (two, said), (three, _) = (keep(shelf, text) for text in "abc")
    until(lambda: not one.process.alive, what="the oldest's end")
    assert (shelf.idle, shelf.parked) == (2, 0)
    assert take(shelf, following(said), binary) is two
    shelf.put(two)
    shelf.shrink(1)
    until(lambda: not three.process.alive, what="the least recently used one's end")
    shelf.close()
    late, _ = keep(shelf, "d")
    until(lambda: not two.process.alive and not late.process.alive, what="all ends")
    assert shelf.idle == 0


def test_time(registry, binary, keep, monkeypatch):
    """A process whose time is over is not used any more, and ends."""
    monkeypatch.setattr(module, "INSPECTION", 0.05)
    shelf = KeptProcesses(4, 0.2, registry)
    kept, said = keep(shelf, "Hi.")
    kept.until = time.monotonic()
    assert take(shelf, following(said), binary) is None
    again, _ = keep(shelf, "Hi.")
    until(lambda: not again.process.alive and not kept.process.alive, what="the end")
    assert shelf.idle == 0


def test_death(registry, binary, keep):
    """A process that died while it waited is passed over."""
    shelf = KeptProcesses(4, 60, registry)
    kept, said = keep(shelf, "Hi.")
    kept.process.kill()
    until(lambda: not kept.process.alive, what="the kill")
    assert take(shelf, following(said), binary) is None


def test_another_executable(registry, binary, keep):
    """After an update of the CLI what runs the old one is given up at the next request, whatever that asks."""
    shelf = KeptProcesses(4, 60, registry)
    kept, _ = keep(shelf, "Hi.")
    assert take(shelf, OPENING, dataclasses.replace(binary, version=(2, 1, 331))) is None
    until(lambda: not kept.process.alive, what="the old one's end")


def test_scarce_memory(registry, keep, monkeypatch):
    """Where memory is scarce nothing is kept, and what was kept is given up."""
    monkeypatch.setattr(module, "INSPECTION", 0.05)
    shelf = KeptProcesses(4, 60, registry)
    before, _ = keep(shelf, "a")
    monkeypatch.setattr(module, "SCARCE", 2**60)
    until(lambda: not before.process.alive, what="the end")
    after, _ = keep(shelf, "b")
    until(lambda: not after.process.alive, what="the end")
    assert shelf.idle == 0


def result(call, *blocks):
    return ToolResultBlock(call, blocks)


SEEN = TextBlock("seen")


@pytest.mark.parametrize(
    ("blocks", "fits"),
    [
        ([result("a1", SEEN), result("b2", SEEN, SEEN)], True),
        ([result("b_2", SEEN), result("a_1", SEEN)], True),
        ([result("a1", TextBlock("ü" * (LONGEST_RESULT // 2))), result("b2", SEEN)], True),
        ([result("a1", SEEN)], False),
        ([result("a1", SEEN), result("c3", SEEN)], False),
        ([result("a1", SEEN), result("b2", SEEN), TextBlock("And hurry.")], False),
        ([result("a1", SEEN), result("b2")], False),
        ([result("a1", SEEN), result("b2", SEEN, ImageBlock(UrlSource("https://a/b")))], False),
        ([result("a1", TextBlock("ü" * (LONGEST_RESULT // 2) + "!!")), result("b2", SEEN)], False),
        ([TextBlock("Never mind.")], False),
    ],
)
def test_parked(registry, binary, keep, blocks, fits):
    """A parked process takes up the results of its calls, all of them and nothing else; else it is given up."""
    shelf = KeptProcesses(4, 60, registry)
    kept, said = keep(shelf, "Let me look.", ("a1", "b2"))
    assert (shelf.idle, shelf.parked) == (0, 1)
    taken = take(shelf, following(said, *blocks), binary)
    assert taken is (kept if fits else None)
    if not fits:
        until(lambda: kept.process.exit_code == -9, what="the end, before it can ask the API again")
    assert shelf.parked == 0


def test_failures_are_replayed(registry, binary, keep):
    """A parked process does not get the failure of a tool, which the CLI would trim and shorten."""
    shelf = KeptProcesses(4, 60, registry)
    _, said = keep(shelf, "Let me look.", ["toolu01"])
    failed = ToolResultBlock("toolu01", (TextBlock("no sky"),), is_error=True)
    assert take(shelf, following(said, failed), binary) is None


def test_further_turns(registry, binary, keep):
    """A process that waits for a question gets all the turns that it lacks, thinking in them too."""
    shelf = KeptProcesses(4, 60, registry)
    kept, said = keep(shelf, "Hi.")
    more = Turn("assistant", (ThinkingBlock("Hm.", "c2ln"), TextBlock("Yes.")))
    longer = following(said)
    longer = msgspec.structs.replace(longer, turns=(*longer.turns, more, Turn("user", (TextBlock("So?"),))))
    assert take(shelf, longer, binary) is kept
