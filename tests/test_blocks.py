"""The blocks of an answer: what opens, grows and ends with each event."""

from __future__ import annotations

from app.blocks import AnswerBlocks
from app.events import (
    RedactedThinking,
    Restart,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallStart,
)

EVENTS = [
    ThinkingDelta(b'"hm"'),
    ThinkingSignature("c2ln"),
    RedactedThinking("eHh4"),
    TextDelta(b'"a"'),
    TextDelta(b'"b"'),
    ToolCallStart(0, "x", "look"),
    ToolCallDelta(0, b'"{}"'),
    ToolCallStart(1, "y", "look"),
]


def changes(blocks, events):
    return [(change.what, change.index) for event in events for change in blocks.feed(event)]


def kinds(blocks):
    return [block.kind for block in blocks.blocks]


def test_order():
    """Each block opens, grows and ends before the next opens; the last stays open until it is closed."""
    blocks = AnswerBlocks(thinking=True)
    assert changes(blocks, EVENTS) == [
        ("opened", 0), ("grown", 0), ("closed", 0),
        ("opened", 1), ("closed", 1),
        ("opened", 2), ("grown", 2), ("grown", 2), ("closed", 2),
        ("opened", 3), ("grown", 3), ("closed", 3),
        ("opened", 4),
    ]  # fmt: skip
    assert [(change.what, change.index) for change in blocks.close()] == [("closed", 4)]
    assert blocks.close() == []
    assert kinds(blocks) == ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]
    assert blocks.blocks[0].signature == "c2ln"
    assert blocks.blocks[2].text == "ab"


def test_without_thinking():
    """Thinking that is not wanted leaves no trace, and does not divide a text."""
    blocks = AnswerBlocks(thinking=False)
    assert changes(blocks, [TextDelta(b'"a"'), *EVENTS[:4]]) == [("opened", 0), ("grown", 0), ("grown", 0)]


def test_signature_alone():
    """A signature without any thinking is a block too."""
    blocks = AnswerBlocks(thinking=True)
    assert changes(blocks, [ThinkingSignature("c2ln")]) == [("opened", 0), ("closed", 0)]
    assert blocks.blocks[0].text == ""


def test_loses():
    """Pieces of text beyond those that count are lost, and so is every call; thinking is not counted."""
    blocks = AnswerBlocks(thinking=True)
    changes(blocks, EVENTS[:5])
    assert not blocks.loses(2)
    assert blocks.loses(1)
    changes(blocks, EVENTS[5:6])
    assert blocks.loses(2)


def test_restart():
    """What no longer counts is gone: calls, later text, and thinking behind the last text."""
    blocks = AnswerBlocks(thinking=True)
    changes(blocks, [*EVENTS[:5], *EVENTS[:2], *EVENTS[5:], Restart(1), TextDelta(b'"c"')])
    assert kinds(blocks) == ["thinking", "redacted_thinking", "text"]
    assert blocks.blocks[2].text == "ac"
    changes(blocks, [Restart(0)])
    assert blocks.blocks == []
