"""The demonstration's answer."""

from __future__ import annotations

import pytest

from app.standin import demo_reply


def said(*messages):
    (block,) = demo_reply({"messages": list(messages)}).blocks
    return "".join(block.chunks)


def test_it_says_what_it_is():
    """The answer says that it is a demo that needs no login, and counts and quotes what it received."""
    text = said({"role": "user", "content": "Hello there"})
    assert "demo" in text
    assert "needs no login" in text
    assert "1 turn with 11 characters" in text
    assert text.endswith("Hello there")


def test_it_comes_in_chunks():
    """The text arrives in several pieces with a short pause, so that streaming can be seen."""
    (block,) = demo_reply({"messages": [{"role": "user", "content": "x"}]}).blocks
    assert len(block.chunks) > 5
    assert block.pause == pytest.approx(0.03)


def test_it_counts_the_conversation_only():
    """Notes that Claude Code adds, in tags or as system messages, are neither counted nor quoted."""
    note = "<system-reminder>\nToday is a day.\n</system-reminder>\n\n"
    text = said(
        {"role": "user", "content": [{"type": "text", "text": note}, {"type": "text", "text": "abc"}]},
        {"role": "system", "content": "# Environment"},
        {"role": "assistant", "content": [{"type": "text", "text": "de"}]},
        {"role": "user", "content": "f"},
        {"role": "system", "content": [{"type": "text", "text": "Today is a day."}]},
    )
    assert "3 turns with 6 characters" in text
    assert text.endswith("You last said: f")


def test_the_quotation_is_short():
    """At most 200 characters of the last question come back."""
    assert said({"role": "user", "content": "y" * 5000}).count("y") < 200 + 20


@pytest.mark.parametrize("content", [[], "", [{"type": "image", "source": {}}], None, 3])
def test_a_question_without_text_is_not_quoted(content):
    """A picture alone, or nothing at all, is answered too."""
    assert "You last said" not in said({"role": "user", "content": content})
