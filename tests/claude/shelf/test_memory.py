"""How much of a conversation a process knows, how far it has to go back for it, and what makes two of them the same."""

from __future__ import annotations

import msgspec
import pytest

from app.claude.shelf.memory import MAX_RESULT_BYTES, Line, Memory, digests_of, extended, steps
from app.conversation import (
    Conversation,
    DocumentBlock,
    ImageBlock,
    Message,
    Options,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolChoice,
    ToolDefinition,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)

SEEN = TextBlock("seen")
CALLS = Message("assistant", (ToolUseBlock("a1", "look", {}), ToolUseBlock("b_2", "look", {})))


def user(*blocks):
    return Message("user", tuple(TextBlock(block) if isinstance(block, str) else block for block in blocks))


def said(text):
    return Message("assistant", (TextBlock(text),))


def talk(*messages, owner=""):
    """Return the steps of a conversation and its digests."""
    conversation = Conversation("sonnet", "Be kind.", messages, owner=owner)
    told = steps(messages)
    return digests_of(conversation, told), told


def told(*messages, quick=(), calls=()):
    """Return the memory of a process that was told these messages; the `quick` ones have no names."""
    digests, lines = talk(*messages)
    memory = Memory()
    memory.setup = digests[0]
    for number, (step, digest) in enumerate(zip(lines, digests[1:], strict=True)):
        name = None if step.role == "assistant" or number in quick else f"line {number}"
        landmark = name is not None and not any(isinstance(block, ToolResultBlock) for block in step.content)
        memory.add(Line(digest, name, landmark))
    memory.calls = frozenset(calls)
    return memory


def place(memory, *messages, going_back=True, **fields):
    return memory.place(*talk(*messages, **fields), going_back=going_back)


LONG = (user("1"), said("2"), user("3"), said("4"), user("5"), said("6"))


def test_going_on():
    """The exact continuation needs no going back, however much it adds."""
    memory = told(*LONG)
    for going_back in (True, False):
        assert place(memory, *LONG, user("7"), going_back=going_back) == 6
        assert place(memory, *LONG, user("7"), said("8"), user("9"), going_back=going_back) == 6


@pytest.mark.parametrize(
    ("messages", "expected"),
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
def test_going_back(messages, expected):
    """What parts from it goes back to before the first line that differs, where the executable can."""
    assert place(told(*LONG), *messages) == expected
    assert place(told(*LONG), *messages, going_back=False) is None


def test_another_setup():
    """Nobody goes back to before the set-up, and the owner is part of it."""
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
        ([result("a1", TextBlock("ü" * (MAX_RESULT_BYTES // 2))), result("b2", SEEN)], True),
        ([result("a1", SEEN)], False),
        ([result("a1", SEEN), result("c3", SEEN)], False),
        ([result("a1", SEEN), result("b2", SEEN), "And hurry."], False),
        ([result("a1", SEEN), result("b2")], False),
        ([result("a1", SEEN), result("b2", SEEN, ImageBlock(UrlSource("https://a/b")))], False),
        ([result("a1", SEEN), result("b2", SEEN, failed=True)], False),
        ([result("a1", TextBlock("ü" * (MAX_RESULT_BYTES // 2) + "!!")), result("b2", SEEN)], False),
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
        messages = tuple(user(str(n)) if n % 2 == 0 else said(str(n)) for n in range(40))
        other = tuple(user(f"{n}!") if n % 2 == 0 else said(str(n)) for n in range(40))
        wanted = (*messages[:length], *other[length:], user("last"))
        parts = length + length % 2  # an assistant's step that is equal does not make them part
        assert place(told(*messages), *wanted) == min(parts, 40)


def test_digests_are_of_steps():
    """A line that is added is what the next request's digest says."""
    digests, _ = talk(*LONG, user("7"))
    assert extended(told(*LONG).lines[-1].digest, user("7")) == digests[-1]


LOOK = ToolDefinition("look", "Looks.", {"type": "object"})
ASKED = Message("user", (TextBlock("Hello"),))
CALL = Message("assistant", (TextBlock("Let me look."), ToolUseBlock("toolu_01", "look", {"at": 1})))
RESULT = Message("user", (ToolResultBlock("toolu_01", (TextBlock("seen"),)),))
BASE = Conversation("sonnet", "Be kind.", (ASKED, CALL, RESULT), (LOOK,))


def all_digests(conversation):
    return digests_of(conversation, steps(conversation.messages))


def test_a_digest_for_each_length():
    """Each digest is the one before, extended by a turn."""
    digests = all_digests(BASE)
    assert len(digests) == 4
    assert len(set(digests)) == 4
    assert [extended(digests[n], turn) for n, turn in enumerate(BASE.messages)] == digests[1:]
    assert all_digests(msgspec.structs.replace(BASE, messages=(ASKED, CALL))) == digests[:3]


CHANGES = {
    "model": {"model": "opus"},
    "owner": {"owner": "laptop.0123"},
    "system": {"system": "Be kind. "},
    "no tools": {"tools": ()},
    "description": {"tools": (ToolDefinition("look", "Looks", {"type": "object"}),)},
    "schema": {"tools": (ToolDefinition("look", "Looks.", {"type": "object", "required": []}),)},
    "effort": {"options": Options(effort="low")},
    "thinking": {"options": Options(thinking=True)},
    "max_tokens": {"options": Options(max_tokens=5)},
    "stop": {"options": Options(stop=("END",))},
    "one call at a time": {"options": Options(parallel_tools=False)},
    "tool_choice": {"options": Options(tool_choice=ToolChoice(required=True))},
    "format": {"options": Options(schema={"type": "object"})},
    "question": {"messages": (Message("user", (TextBlock("Hello "),)), CALL, RESULT)},
    "two parts": {"messages": (Message("user", (TextBlock("Hel"), TextBlock("lo"))), CALL, RESULT)},
    "role": {"messages": (Message("assistant", ASKED.content), CALL, RESULT)},
    "answer": {"messages": (ASKED, Message("assistant", (TextBlock("Let me look!"), *CALL.content[1:])), RESULT)},
    "call": {
        "messages": (
            ASKED,
            Message("assistant", (CALL.content[0], ToolUseBlock("toolu_01", "look", {"at": 2}))),
            RESULT,
        )
    },
    "call's id": {
        "messages": (
            ASKED,
            Message("assistant", (CALL.content[0], ToolUseBlock("toolu_02", "look", {"at": 1}))),
            RESULT,
        )
    },
    "result": {"messages": (ASKED, CALL, Message("user", (ToolResultBlock("toolu_01", (TextBlock("saw"),)),)))},
    "failure": {
        "messages": (ASKED, CALL, Message("user", (ToolResultBlock("toolu_01", (TextBlock("seen"),), is_error=True),)))
    },
    "thought": {"messages": (ASKED, Message("assistant", (ThinkingBlock("Hm.", "c2ln"), *CALL.content)), RESULT)},
    "signed": {"options": Options(signed=True)},
    "picture": {"messages": (Message("user", (ImageBlock(UrlSource("https://a/b")),)), CALL, RESULT)},
    "document": {"messages": (Message("user", (DocumentBlock(TextSource("Hello")),)), CALL, RESULT)},
}


@pytest.mark.parametrize("what", CHANGES)
def test_anything_else_is_another_conversation(what):
    """Whatever decides the next answer is in the digest, to the byte."""
    assert all_digests(msgspec.structs.replace(BASE, **CHANGES[what]))[-1] != all_digests(BASE)[-1]


def test_ids_without_punctuation():
    """A client that hands ids back with nothing but letters and digits still has the same conversation."""
    plain = (
        ASKED,
        Message("assistant", (CALL.content[0], ToolUseBlock("toolu01", "look", {"at": 1}))),
        Message("user", (ToolResultBlock("toolu01", (TextBlock("seen"),)),)),
    )
    assert all_digests(msgspec.structs.replace(BASE, messages=plain)) == all_digests(BASE)


def test_words_behind_results():
    """Words behind results are a step of their own, and results are in the order of their calls."""
    calls = Message("assistant", (ToolUseBlock("toolu_01", "look", {}), ToolUseBlock("toolu_02", "look", {})))
    one, two = (ToolResultBlock(call, (TextBlock("seen"),)) for call in ("toolu01", "toolu_02"))
    words = TextBlock("Hurry!")
    told = steps((ASKED, calls, Message("user", (two, one, words))))
    assert told == (ASKED, calls, Message("user", (one, two)), Message("user", (words,)))
    assert steps((ASKED, calls, Message("user", (one, two)))) == told[:3]


def test_texts_in_parts():
    """A text that comes back in parts, since something was shown between them, is the text that was said."""
    parts = Message("assistant", (TextBlock("One. "), TextBlock("\n\nTwo.")))
    assert place(told(user("Hi"), said("One. \n\nTwo.")), user("Hi"), parts, user("And?")) == 2
    apart = Message("assistant", (TextBlock("One. "), ThinkingBlock("hm", "c2ln"), TextBlock("\n\nTwo.")))
    assert place(told(user("Hi"), said("One. \n\nTwo.")), user("Hi"), apart, user("And?")) == 0
