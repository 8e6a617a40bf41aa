"""The blocks of an answer: what opens, grows and ends with each event, and the message that a client hands back."""

from __future__ import annotations

import pytest

from app.blocks import AnswerBlocks, as_message
from app.conversation import Message, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock
from app.events import (
    RedactedThinking,
    Restart,
    Step,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallStart,
    TurnEnd,
    TurnStart,
    Usage,
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


START, END = TurnStart("claude"), TurnEnd("end_turn", Usage())


def message(*events, signed=False):
    answer = AnswerBlocks(thinking=signed)
    for event in events:
        answer.feed(event)
    return as_message(answer.blocks, signed=signed)


def test_text():
    """Pieces of text are one block; thinking is not the client's to hand back."""
    pieces = [TextDelta(b'"He said \\"'), TextDelta("größe".encode().join([b'"', b'"'])), TextDelta(b'"\\n"')]
    said = message(START, ThinkingDelta(b'"hm"'), *pieces[1:], END)
    assert said == Message("assistant", (TextBlock("größe\n"),))


def test_a_character_in_two_pieces():
    """A pair of escapes that a piece's end cut in two is one character."""
    assert message(TextDelta(rb'"\ud83d"'), TextDelta(rb'"\ude42"')) == Message("assistant", (TextBlock("🙂"),))


def test_calls():
    """Calls come after the text, each with its own arguments."""
    said = message(
        TextDelta(b'"Let me look."'),
        ToolCallStart(0, "a", "look"),
        ToolCallDelta(0, rb'"{\"at\":"'),
        ToolCallStart(1, "b", "count"),
        ToolCallDelta(1, b'"{}"'),
        ToolCallDelta(0, b'" 1}"'),
    )
    calls = (ToolUseBlock("a", "look", {"at": 1}), ToolUseBlock("b", "count", {}))
    assert said == Message("assistant", (TextBlock("Let me look."), *calls))


def test_signed_message():
    """Where the client gets signed thinking, the blocks stand in their order, and unsigned ones are left out."""
    events = [
        ThinkingDelta(b'"cut"'),
        Restart(0),
        ThinkingDelta(b'"hm"'),
        ThinkingSignature("c2ln"),
        TextDelta(b'"One"'),
        RedactedThinking("eHh4"),
        TextDelta(b'"Two"'),
        ToolCallStart(0, "a", "look"),
        ToolCallDelta(0, b'"{}"'),
    ]
    call = ToolUseBlock("a", "look", {})
    ordered = (ThinkingBlock("hm", "c2ln"), TextBlock("One"), RedactedThinkingBlock("eHh4"), TextBlock("Two"), call)
    assert message(*events, signed=True) == Message("assistant", ordered)
    assert message(*events) == Message("assistant", (TextBlock("OneTwo"), call))
    assert message(ThinkingDelta(b'"cut"'), TextDelta(b'"So."'), signed=True) == Message(
        "assistant", (TextBlock("So."),)
    )


def test_message_of_a_restart():
    """Of an answer that broke off only what counts is left."""
    events = [TextDelta(b'"one"'), TextDelta(b'"tw"'), ToolCallStart(0, "a", "look"), Restart(1), TextDelta(b'" two"')]
    assert message(*events) == Message("assistant", (TextBlock("one two"),))


@pytest.mark.parametrize(
    "events",
    [
        (START, END),
        (TextDelta(b'" \\n"'),),
        (ToolCallStart(0, "a", "look"), ToolCallDelta(0, rb'"{\"at\":"')),
        (ToolCallStart(0, "a", "look"), ToolCallDelta(0, b'"[1]"')),
    ],
    ids=["nothing", "white space", "half a call", "no object"],
)
def test_nothing_that_a_turn_could_hold(events):
    """Where a client cannot hand the answer back as it was, there is no turn."""
    assert message(*events) is None


def test_steps():
    """What an agent does is in blocks of its own, which no message has, and stays when its answer begins anew."""
    step = Step(rb'"Bash: ls\n"')
    blocks = AnswerBlocks(thinking=True)
    for event in (TextDelta(b'"a"'), step, step, ThinkingDelta(b'"hm"'), step, TextDelta(b'"b"'), TurnEnd("", Usage())):
        blocks.feed(event)
    assert kinds(blocks) == ["text", "step", "thinking", "step", "text"]
    said = as_message(blocks.blocks, signed=True)
    assert said == Message("assistant", (TextBlock("a"), TextBlock("b")))
    blocks.feed(Restart(1))
    assert kinds(blocks) == ["text", "step", "step"]
    blocks.feed(TextDelta(b'"c"'))
    assert [block.text for block in blocks.blocks if block.kind == "text"] == ["a", "c"]
