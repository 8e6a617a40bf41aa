"""How much of a conversation a process knows, and how far it has to go back for it."""

from __future__ import annotations

import pytest

from app.claude.shelf.lineage import extended, lineage, steps
from app.claude.shelf.memory import LONGEST_RESULT, Line, Memory
from app.conversation import Conversation, ImageBlock, TextBlock, ToolResultBlock, ToolUseBlock, Turn, UrlSource

SEEN = TextBlock("seen")
CALLS = Turn("assistant", (ToolUseBlock("a1", "look", {}), ToolUseBlock("b_2", "look", {})))


def user(*blocks):
    return Turn("user", tuple(TextBlock(block) if isinstance(block, str) else block for block in blocks))


def said(text):
    return Turn("assistant", (TextBlock(text),))


def talk(*turns, owner=""):
    """Return the steps of a conversation and its digests."""
    conversation = Conversation("sonnet", "Be kind.", turns, owner=owner)
    told = steps(turns)
    return lineage(conversation, told), told


def told(*turns, quick=(), calls=()):
    """Return the memory of a process that was told these turns; the `quick` ones have no names."""
    digests, lines = talk(*turns)
    memory = Memory()
    memory.open(digests[0])
    for number, (step, digest) in enumerate(zip(lines, digests[1:], strict=True)):
        name = None if step.role == "assistant" or number in quick else f"line {number}"
        landmark = name is not None and not any(isinstance(block, ToolResultBlock) for block in step.content)
        memory.add(Line(digest, name, landmark))
    memory.calls = frozenset(calls)
    return memory


def place(memory, *turns, going_back=True, **fields):
    return memory.place(*talk(*turns, **fields), going_back=going_back)


LONG = (user("1"), said("2"), user("3"), said("4"), user("5"), said("6"))


def test_going_on():
    """The exact continuation needs no going back, however much it adds."""
    memory = told(*LONG)
    for going_back in (True, False):
        assert place(memory, *LONG, user("7"), going_back=going_back) == 6
        assert place(memory, *LONG, user("7"), said("8"), user("9"), going_back=going_back) == 6


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ((*LONG[:4], user("five")), 4),
        (LONG[:5], 4),
        ((*LONG[:5], said("six"), user("7")), 4),
        ((*LONG[:2], user("three"), said("4"), user("5")), 2),
        (LONG[:1], 0),
        ((user("one"),), 0),
        ((user("one"), *LONG[1:5]), 0),
    ],
    ids=["edited", "again", "another answer", "further back", "first again", "new", "first edited"],
)
def test_going_back(turns, expected):
    """What parts from it goes back to before the first line that differs, where the executable can."""
    assert place(told(*LONG), *turns) == expected
    assert place(told(*LONG), *turns, going_back=False) is None


def test_another_opening():
    """Nobody goes back to before the opening, and the owner is part of it."""
    assert place(Memory(), *LONG) is None
    assert place(told(*LONG), *LONG, user("7"), owner="somebody") is None


def test_lines_without_names():
    """Lines that were told quickly are no landmarks: one goes back to the one before, and tells them anew."""
    memory = told(*LONG, quick=(2, 4))
    assert place(memory, *LONG[:4], user("five")) == 0
    assert place(memory, *LONG, user("7")) == 6


def test_more_in_mind():
    """Where the process knows something else behind its last line, that is never gone on from."""
    memory = told(*LONG[:5])
    memory.exact = False
    assert place(memory, *LONG[:5], said("6"), user("7")) == 4
    assert place(memory, *LONG[:5]) == 4
    assert place(memory, *LONG[:5], said("6"), user("7"), going_back=False) is None


def test_forgetting():
    """After going back the rest is gone, and the newest line is the one before."""
    memory = told(*LONG)
    memory.exact = False
    memory.forget(4)
    assert (len(memory.lines), memory.newest, memory.exact) == (4, "line 2", True)
    memory.forget(0)
    assert (memory.lines, memory.newest) == ([], None)
    assert place(memory, user("new")) == 0


def test_a_note_behind_results():
    """One goes back to before words behind results, and not to before results."""
    results = (ToolResultBlock("a1", (SEEN,)), ToolResultBlock("b_2", (SEEN,)))
    memory = told(user("1"), CALLS, user(*results, "It is noon."), said("Well."))
    assert place(memory, user("1"), CALLS, user(*results, "It is one.")) == 3
    assert place(memory, user("1"), CALLS, user(results[0], ToolResultBlock("b_2", (TextBlock("no"),)))) == 0


def result(call, *blocks, failed=False):
    return ToolResultBlock(call, blocks, failed)


@pytest.mark.parametrize(
    ("blocks", "fits"),
    [
        ([result("a1", SEEN), result("b2", SEEN, SEEN)], True),
        ([result("b_2", SEEN), result("a_1", SEEN)], True),
        ([result("a1", TextBlock("ü" * (LONGEST_RESULT // 2))), result("b2", SEEN)], True),
        ([result("a1", SEEN)], False),
        ([result("a1", SEEN), result("c3", SEEN)], False),
        ([result("a1", SEEN), result("b2", SEEN), "And hurry."], False),
        ([result("a1", SEEN), result("b2")], False),
        ([result("a1", SEEN), result("b2", SEEN, ImageBlock(UrlSource("https://a/b")))], False),
        ([result("a1", SEEN), result("b2", SEEN, failed=True)], False),
        ([result("a1", TextBlock("ü" * (LONGEST_RESULT // 2) + "!!")), result("b2", SEEN)], False),
        (["Never mind."], False),
    ],
)
def test_parked(blocks, fits):
    """A parked process takes up the results of its calls, all of them and nothing else; else it goes back."""
    memory = told(user("1"), CALLS, calls=("a1", "b2"))
    assert place(memory, user("1"), CALLS, user(*blocks)) == (2 if fits else 0)
    assert place(memory, user("1"), CALLS, user(*blocks), going_back=False) == (2 if fits else None)


def test_any_two_conversations():
    """The common beginning is found as a comparison of step by step would, at whatever length they part."""
    for length in range(0, 40, 3):
        turns = tuple(user(str(n)) if n % 2 == 0 else said(str(n)) for n in range(40))
        other = tuple(user(f"{n}!") if n % 2 == 0 else said(str(n)) for n in range(40))
        wanted = (*turns[:length], *other[length:], user("last"))
        parts = length + length % 2  # an assistant's step that is equal does not make them part
        assert place(told(*turns), *wanted) == min(parts, 40)


def test_digests_are_of_steps():
    """A line that is added is what the next request's digest says."""
    digests, _ = talk(*LONG, user("7"))
    assert extended(told(*LONG).lines[-1].digest, user("7")) == digests[-1]
