"""Calls have no ids: results are told apart by their tool's name and their order."""

from __future__ import annotations

import pytest

from app.conversation import ToolResultBlock, ToolUseBlock
from app.dialects.ollama.request import parse_chat
from app.errors import BadRequest

from .asking import CHAT, call, read


def test_calls_without_ids():
    """Results go to the calls of their tools, in order, and words behind them stay the user's."""
    messages = [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": "", "tool_calls": [call("look", at=1), call("look", at=2), call("hear")]},
        {"role": "tool", "tool_name": "look", "content": "one"},
        {"role": "tool", "tool_name": "hear", "content": "three"},
        {"role": "tool", "tool_name": "look", "content": "two"},
    ]
    _, said, answered = read(parse_chat, {**CHAT, "messages": messages}).conversation.messages
    calls = {block.id: block.input for block in said.content if isinstance(block, ToolUseBlock)}
    results = [block for block in answered.content if isinstance(block, ToolResultBlock)]
    assert len(calls) == 3
    told = [(calls[result.tool_use_id], result.content[0].text) for result in results]
    assert sorted(told, key=str) == sorted([({"at": 1}, "one"), ({"at": 2}, "two"), ({}, "three")], key=str)


def test_two_rounds():
    """Calls of one tool in two rounds are told apart."""
    once = [
        {"role": "assistant", "content": "", "tool_calls": [call("look")]},
        {"role": "tool", "tool_name": "look", "content": "seen"},
    ]
    found = read(parse_chat, {**CHAT, "messages": [{"role": "user", "content": "Go"}, *once, *once]})
    blocks = [block for message in found.conversation.messages for block in message.content]
    calls = [block.id for block in blocks if isinstance(block, ToolUseBlock)]
    assert len(set(calls)) == 2
    assert [block.tool_use_id for block in blocks if isinstance(block, ToolResultBlock)] == calls


def test_result_of_another_tool():
    """A result whose tool was not called is refused, not given to another call."""
    messages = [*CHAT["messages"][1:3], {"role": "tool", "tool_name": "smell", "content": "x"}]
    with pytest.raises(BadRequest, match="answers no tool call") as raised:
        read(parse_chat, {**CHAT, "messages": messages})
    assert raised.value.param == "messages[2]"
