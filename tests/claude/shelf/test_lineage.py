"""What makes two conversations the same."""

from __future__ import annotations

import msgspec
import pytest

from app.claude.shelf.lineage import extended, steps
from app.claude.shelf.lineage import lineage as lineage_of_steps
from app.conversation import (
    Conversation,
    DocumentBlock,
    ImageBlock,
    Options,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolChoice,
    ToolDefinition,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    UrlSource,
)

LOOK = ToolDefinition("look", "Looks.", {"type": "object"})
ASKED = Turn("user", (TextBlock("Hello"),))
CALLED = Turn("assistant", (TextBlock("Let me look."), ToolUseBlock("toolu_01", "look", {"at": 1})))
SEEN = Turn("user", (ToolResultBlock("toolu_01", (TextBlock("seen"),)),))
BASE = Conversation("sonnet", "Be kind.", (ASKED, CALLED, SEEN), (LOOK,))


def lineage(conversation):
    return lineage_of_steps(conversation, steps(conversation.turns))


def test_a_digest_for_each_length():
    """Each digest is the one before, extended by a turn."""
    digests = lineage(BASE)
    assert len(digests) == 4
    assert len(set(digests)) == 4
    assert [extended(digests[n], turn) for n, turn in enumerate(BASE.turns)] == digests[1:]
    assert lineage(msgspec.structs.replace(BASE, turns=(ASKED, CALLED))) == digests[:3]


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
    "question": {"turns": (Turn("user", (TextBlock("Hello "),)), CALLED, SEEN)},
    "two parts": {"turns": (Turn("user", (TextBlock("Hel"), TextBlock("lo"))), CALLED, SEEN)},
    "role": {"turns": (Turn("assistant", ASKED.content), CALLED, SEEN)},
    "answer": {"turns": (ASKED, Turn("assistant", (TextBlock("Let me look!"), *CALLED.content[1:])), SEEN)},
    "call": {
        "turns": (ASKED, Turn("assistant", (CALLED.content[0], ToolUseBlock("toolu_01", "look", {"at": 2}))), SEEN)
    },
    "call's id": {
        "turns": (ASKED, Turn("assistant", (CALLED.content[0], ToolUseBlock("toolu_02", "look", {"at": 1}))), SEEN)
    },
    "result": {"turns": (ASKED, CALLED, Turn("user", (ToolResultBlock("toolu_01", (TextBlock("saw"),)),)))},
    "failure": {
        "turns": (ASKED, CALLED, Turn("user", (ToolResultBlock("toolu_01", (TextBlock("seen"),), is_error=True),)))
    },
    "thought": {"turns": (ASKED, Turn("assistant", (ThinkingBlock("Hm.", "c2ln"), *CALLED.content)), SEEN)},
    "signed": {"options": Options(signed=True)},
    "picture": {"turns": (Turn("user", (ImageBlock(UrlSource("https://a/b")),)), CALLED, SEEN)},
    "document": {"turns": (Turn("user", (DocumentBlock(TextSource("Hello")),)), CALLED, SEEN)},
}


@pytest.mark.parametrize("what", CHANGES)
def test_anything_else_is_another_conversation(what):
    """Whatever decides the next answer is in the digest, to the byte."""
    assert lineage(msgspec.structs.replace(BASE, **CHANGES[what]))[-1] != lineage(BASE)[-1]


def test_ids_without_punctuation():
    """A client that hands ids back with nothing but letters and digits still has the same conversation."""
    plain = (
        ASKED,
        Turn("assistant", (CALLED.content[0], ToolUseBlock("toolu01", "look", {"at": 1}))),
        Turn("user", (ToolResultBlock("toolu01", (TextBlock("seen"),)),)),
    )
    assert lineage(msgspec.structs.replace(BASE, turns=plain)) == lineage(BASE)


def test_words_behind_results():
    """Words behind results are a step of their own, and results are in the order of their calls."""
    calls = Turn("assistant", (ToolUseBlock("toolu_01", "look", {}), ToolUseBlock("toolu_02", "look", {})))
    one, two = (ToolResultBlock(call, (TextBlock("seen"),)) for call in ("toolu01", "toolu_02"))
    words = TextBlock("Hurry!")
    told = steps((ASKED, calls, Turn("user", (two, one, words))))
    assert told == (ASKED, calls, Turn("user", (one, two)), Turn("user", (words,)))
    assert steps((ASKED, calls, Turn("user", (one, two)))) == told[:3]
