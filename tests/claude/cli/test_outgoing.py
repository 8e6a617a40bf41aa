"""The lines we write are what the CLI reads as a client's own words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.cli.outgoing import assistant_line, control_line, user_line
from app.conversation import RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock


def test_control_line():
    """A control request is one JSON line with its id and its fields."""
    line = control_line("initialize", "initialize", systemPrompt=["Be\nkind."])
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "type": "control_request",
        "request_id": "initialize",
        "request": {"subtype": "initialize", "systemPrompt": ["Be\nkind."]},
    }


@pytest.mark.parametrize(
    ("composed", "given", "sent"),
    [
        (True, "/help me", "/help me"),
        (False, "/help me", "\n/help me"),
        (False, "help /me", "help /me"),
        (True, "@/etc/hosts", "@/etc/hosts"),
    ],
)
def test_slash(composed, given, sent):
    """A text is never a command: new versions get a mark and the text as it is, old ones a newline before a slash."""
    line = json.loads(user_line((TextBlock("/first"), TextBlock(given)), ask=True, composed=composed))
    assert line["message"] == {
        "role": "user",
        "content": [{"type": "text", "text": "/first"}, {"type": "text", "text": sent}],
    }
    assert line.get("client_composed", False) is composed
    assert "shouldQuery" not in line


def test_history_line():
    """A user turn of the history is marked as not to be answered, tool results included."""
    line = json.loads(user_line((ToolResultBlock("call1", (TextBlock("/sunny"),)),), ask=False, composed=False))
    assert line["shouldQuery"] is False
    assert line["message"]["content"] == [
        {"type": "tool_result", "tool_use_id": "call1", "content": [{"type": "text", "text": "/sunny"}]}
    ]


def test_assistant_line():
    """An assistant turn carries its id, text and calls as the Messages API has them."""
    line = json.loads(
        assistant_line((TextBlock("Hm."), ToolUseBlock("call1", "look", {"at": "ü"})), "msg_3", "claude-x")
    )
    assert line["type"] == "assistant"
    assert line["message"] == {
        "id": "msg_3",
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Hm."},
            {"type": "tool_use", "id": "call1", "name": "look", "input": {"at": "ü"}},
        ],
    }


def test_thinking_in_history():
    """Thinking goes with the name of its model, without which the CLI drops it."""
    blocks = (ThinkingBlock("Hm.", "c2ln"), RedactedThinkingBlock("eHh4"), TextBlock("So."))
    assert json.loads(assistant_line(blocks, "msg_1", "claude-x"))["message"] == {
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-x",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "eHh4"},
            {"type": "text", "text": "So."},
        ],
    }


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.booleans())
def test_one_line_for_any_text(value, composed):
    """Whatever a text holds, it is one line, and verbatim but for a newline before a slash."""
    line = user_line((TextBlock(value),), ask=True, composed=composed)
    assert line.count(b"\n") == 1
    sent = json.loads(line)["message"]["content"][0]["text"]
    assert sent == ("\n" + value if value.startswith("/") and not composed else value)
