"""What a client was given, as the turn it will hand back."""

from __future__ import annotations

import pytest

from app.conversation import RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock, Turn
from app.events import (
    RedactedThinking,
    Restart,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallStart,
    TurnEnd,
    TurnStart,
    Usage,
)
from app.transcript import Transcript

START, END = TurnStart("claude"), TurnEnd("end_turn", Usage())


def turn(*events, signed=False):
    transcript = Transcript(signed=signed)
    for event in events:
        transcript.feed(event)
    return transcript.turn()


def test_text():
    """Pieces of text are one block; thinking is not the client's to hand back."""
    pieces = [TextDelta(b'"He said \\"'), TextDelta("größe".encode().join([b'"', b'"'])), TextDelta(b'"\\n"')]
    said = turn(START, ThinkingDelta(b'"hm"'), *pieces[1:], END)
    assert said == Turn("assistant", (TextBlock("größe\n"),))


def test_a_character_in_two_pieces():
    """A pair of escapes that a piece's end cut in two is one character."""
    assert turn(TextDelta(rb'"\ud83d"'), TextDelta(rb'"\ude42"')) == Turn("assistant", (TextBlock("🙂"),))


def test_calls():
    """Calls come after the text, each with its own arguments."""
    said = turn(
        TextDelta(b'"Let me look."'),
        ToolCallStart(0, "a", "look"),
        ToolCallDelta(0, rb'"{\"at\":"'),
        ToolCallStart(1, "b", "count"),
        ToolCallDelta(1, b'"{}"'),
        ToolCallDelta(0, b'" 1}"'),
    )
    calls = (ToolUseBlock("a", "look", {"at": 1}), ToolUseBlock("b", "count", {}))
    assert said == Turn("assistant", (TextBlock("Let me look."), *calls))


def test_signed():
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
    assert turn(*events, signed=True) == Turn("assistant", ordered)
    assert turn(*events) == Turn("assistant", (TextBlock("OneTwo"), call))
    assert turn(ThinkingDelta(b'"cut"'), TextDelta(b'"So."'), signed=True) == Turn("assistant", (TextBlock("So."),))


def test_restart():
    """Of an answer that broke off only what counts is left."""
    events = [TextDelta(b'"one"'), TextDelta(b'"tw"'), ToolCallStart(0, "a", "look"), Restart(1), TextDelta(b'" two"')]
    assert turn(*events) == Turn("assistant", (TextBlock("one two"),))


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
    assert turn(*events) is None
