"""A finished turn becomes a chat completion that OpenAI's own types accept."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from app.dialects.chat_completions.response import Identity, completion, finish_reason, usage_object
from app.errors import Overloaded
from app.events import Restart, TextDelta, ThinkingDelta, ToolCallDelta, ToolCallStart, TurnEnd, TurnStart, Usage
from dialects.events import turns

WHO = Identity("chatcmpl-1", 1700000000)
START, END = TurnStart("claude-sonnet-5-5"), TurnEnd("end_turn", Usage(1, 2))


def message_of(*events, reasoning=False):
    return json.loads(completion([list(events)], WHO, reasoning=reasoning))["choices"][0]["message"]


@given(turns(), st.booleans())
def test_any_turn(batches, reasoning):
    """Any turn gives a completion of OpenAI's shape, with the texts joined and every required key there."""
    data = json.loads(completion(batches, WHO, reasoning=reasoning))
    whole = ChatCompletion.model_validate(data, strict=True)
    text = "".join(event.text for batch in batches for event in batch if isinstance(event, TextDelta))
    assert (whole.choices[0].message.content or "") == text
    assert (whole.id, whole.created, whole.model) == (WHO.id, WHO.created, "claude-sonnet-5-5")
    assert {"refusal", "content", "role"} <= set(data["choices"][0]["message"])
    assert {"logprobs", "finish_reason", "index"} <= set(data["choices"][0])
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("", "stop"),
    ],
)
def test_finish_reason(stop, reason):
    """Each stop reason has OpenAI's word, and an unknown one never gets through."""
    assert finish_reason(stop) == reason


def test_no_text():
    """Without text the content is null, not an empty string."""
    assert message_of(START, END)["content"] is None


def test_refusal():
    """A refusal's text is where clients look for it."""
    assert message_of(START, TextDelta(b'"No."'), TurnEnd("refusal", Usage()))["refusal"] == "No."
    assert message_of(START, TextDelta(b'"Yes."'), END)["refusal"] is None


def test_thinking_is_no_text():
    """Thinking is not part of the content, and only shown to clients that asked for it."""
    events = [START, ThinkingDelta(b'"hm"'), ThinkingDelta(b'"!"'), TextDelta(b'"a"'), END]
    assert "reasoning_content" not in message_of(*events)
    shown = message_of(*events, reasoning=True)
    assert (shown["content"], shown["reasoning_content"]) == ("a", "hm!")


def test_calls():
    """Calls are listed with their arguments as one JSON text each."""
    events = [
        START,
        ToolCallStart(0, "toolu0", "look"),
        ToolCallDelta(0, rb'"{\"at\": \"s"'),
        ToolCallDelta(0, rb'"ky\"}"'),
        ToolCallStart(1, "toolu1", "wait"),
        ToolCallDelta(1, b'"{}"'),
        TurnEnd("tool_use", Usage()),
    ]
    message = message_of(*events)
    assert message["content"] is None
    assert [(call["id"], call["type"], call["function"]) for call in message["tool_calls"]] == [
        ("toolu0", "function", {"name": "look", "arguments": '{"at": "sky"}'}),
        ("toolu1", "function", {"name": "wait", "arguments": "{}"}),
    ]
    assert message_of(*events[:-1], Restart(0), END).get("tool_calls") is None


def test_restart():
    """Of an answer that broke off only what counts is given."""
    pieces = [TextDelta(b'"a"'), TextDelta(b'"b"'), Restart(1), TextDelta(b'"c"')]
    assert message_of(START, *pieces, END)["content"] == "ac"
    assert message_of(START, TextDelta(b'"b"'), Restart(0), END)["content"] is None


def test_usage():
    """The prompt's tokens include what the cache read and wrote, and both are told."""
    usage = usage_object(Usage(12, 7, cache_read_tokens=5, cache_write_tokens=3, reasoning_tokens=2))
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (20, 7, 27)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 5, "cache_write_tokens": 3}
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 2}


def test_failure():
    """A turn that fails gives its error, not half an answer."""

    def batches():
        yield [START, TextDelta(b'"Half"')]
        raise Overloaded("busy")

    with pytest.raises(Overloaded):
        completion(batches(), WHO, reasoning=False)


def test_identity():
    """Ids differ, and look like OpenAI's."""
    first, second = Identity.new("chatcmpl"), Identity.new("chatcmpl")
    assert first.id != second.id
    assert first.id.startswith("chatcmpl-")
    assert abs(first.created - time.time()) < 2
