"""A turn becomes a message, whole or as events, and both tell the same."""

from __future__ import annotations

import json

import anthropic
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from pydantic import TypeAdapter

from app.dialects.anthropic.blocks import SHOWN
from app.dialects.messages.response import message
from app.dialects.messages.stream import MessageStream
from app.errors import AnswerCut, ProxyError
from app.events import (
    Quote,
    Restart,
    Step,
    TextBreak,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallStart,
    TurnEnd,
    TurnStart,
    Usage,
)
from dialects.events import named_events, turns

START = TurnStart("claude-sonnet-5-5", Usage(7, 1))
END = TurnEnd("end_turn", Usage(12, 7, 5, 3, 2))
event_type = TypeAdapter(RawMessageStreamEvent)


def streamed(*batches, thinking=True):
    """Return the events of a stream, pings aside."""
    stream = MessageStream("msg_1", thinking=thinking, request_id="req_1")
    data = stream.heartbeat() + b"".join(stream.feed(batch) for batch in batches) + stream.heartbeat()
    return [event for event in named_events(data) if event["type"] != "ping"]


def whole(*batches, thinking=True):
    return json.loads(message(batches, "msg_1", thinking=thinking))


@given(turns())
def test_the_same_either_way(batches):
    """The SDK accumulates the stream to the very message that comes whole, and both are of its types."""
    snapshot, buffers = None, {}
    for event in streamed(*batches):
        if event.get("delta", {}).get("stop_reason") != "new_reason":
            event_type.validate_python(event)
        snapshot = accumulate_event(
            event=anthropic._models.construct_type(type_=RawMessageStreamEvent, value=event),
            current_snapshot=snapshot,
            json_bufs=buffers,
        )
    assert snapshot is not None
    told = whole(*batches)
    streamed_dict = snapshot.to_dict()
    for block in streamed_dict["content"]:
        block.pop("parsed_output", None)
    for key in ("content", "usage", "stop_sequence", "stop_reason", "model", "id"):
        assert streamed_dict[key] == told[key]
    if told["stop_reason"] != "new_reason":
        Message.model_validate(told)


def test_stream():
    """Thinking with its signature, text and a call are blocks, one after the other, of one message."""
    found = streamed(
        [START, ThinkingDelta(b'"hm"')],
        [ThinkingSignature("c2ln"), TextDelta(b'"a"')],
        [TextDelta(b'"b"'), ToolCallStart(0, "toolu1", "look"), ToolCallDelta(0, b'"{}"')],
        [TurnEnd("tool_use", END.usage)],
    )
    assert [(event["type"], event.get("index")) for event in found] == [
        ("message_start", None),
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
        ("content_block_start", 2),
        ("content_block_delta", 2),
        ("content_block_stop", 2),
        ("message_delta", None),
        ("message_stop", None),
    ]
    assert found[0]["message"]["usage"]["input_tokens"] == 7
    assert [event["delta"]["type"] for event in found if event["type"] == "content_block_delta"] == [
        "thinking_delta",
        "signature_delta",
        "text_delta",
        "text_delta",
        "input_json_delta",
    ]
    assert found[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert found[-2]["usage"] == {
        "input_tokens": 12,
        "output_tokens": 7,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 3,
        "output_tokens_details": {"thinking_tokens": 2},
    }


def test_thinking_not_asked_for():
    """Who did not ask for thinking gets none of it."""
    batch = [START, ThinkingDelta(b'"hm"'), ThinkingSignature("c2ln"), TextDelta(b'"a"'), END]
    assert [block["type"] for block in whole(batch, thinking=False)["content"]] == ["text"]
    opened = [event for event in streamed(batch, thinking=False) if event["type"] == "content_block_start"]
    assert [event["content_block"]["type"] for event in opened] == ["text"]


def test_stop_sequence():
    """The sequence that ended the answer is told."""
    batch = [START, TextDelta(b'"a"'), TurnEnd("stop_sequence", Usage(), "END")]
    assert whole(batch)["stop_sequence"] == "END"
    assert streamed(batch)[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}


def test_half_a_call():
    """Arguments that max_tokens cut are none."""
    batch = [START, ToolCallStart(0, "a", "look"), ToolCallDelta(0, rb'"{\"at\":"'), TurnEnd("max_tokens", Usage())]
    assert whole(batch)["content"][0]["input"] == {}


def test_restart():
    """A whole message has nothing of an answer that broke off."""
    batch = [START, ThinkingDelta(b'"hm"'), TextDelta(b'"a"'), Restart(0), TextDelta(b'"b"'), END]
    assert [block.get("text") for block in whole(batch)["content"]] == ["b"]


@pytest.mark.parametrize("sent", [TextDelta(b'"a"'), ToolCallStart(0, "a", "look")])
def test_restart_streamed(sent):
    """What was sent and does not count ends the stream in an error; thinking that does not count goes unsigned."""
    stream = MessageStream("msg_1", thinking=True)
    stream.feed([START, sent])
    with pytest.raises(AnswerCut):
        stream.feed([Restart(0)])
    found = streamed(
        [START, ThinkingDelta(b'"hm"'), Restart(0), ThinkingDelta(b'"so"'), ThinkingSignature("c2ln"), END]
    )
    signatures = [event for event in found if event.get("delta", {}).get("type") == "signature_delta"]
    assert [event["index"] for event in signatures] == [1]


def test_error():
    """An error inside the stream is an event of its own, in the envelope."""
    (event,) = named_events(MessageStream("msg_1", thinking=True, request_id="req_1").error(ProxyError("Why.")))
    assert event == {
        "type": "error",
        "error": {"type": "api_error", "message": "Why."},
        "request_id": "req_1",
    }


WORK = [
    START,
    TextDelta(b'"I look. "'),
    Step(rb'"Bash: ls\n"'),
    Step(rb'"  a\n"'),
    TextDelta(rb'"\n\nDone."'),
    END,
]


@pytest.mark.parametrize("thinking", [False, True])
def test_steps(thinking):
    """What an agent does is thinking, whether that is asked for or not, with a signature that is known again."""
    told = whole(WORK, thinking=thinking)["content"]
    assert told == [
        {"type": "text", "text": "I look. "},
        {"type": "thinking", "thinking": "Bash: ls\n  a\n", "signature": SHOWN},
        {"type": "text", "text": "\n\nDone."},
    ]
    deltas = [event["delta"] for event in streamed(WORK, thinking=thinking) if event["type"] == "content_block_delta"]
    assert deltas[1:4] == [
        {"type": "thinking_delta", "thinking": "Bash: ls\n"},
        {"type": "thinking_delta", "thinking": "  a\n"},
        {"type": "signature_delta", "signature": SHOWN},
    ]


def test_steps_beside_thinking():
    """The model's own thinking keeps its signature, and nothing of ours gets under it."""
    thought = [ThinkingDelta(b'"hm"'), ThinkingSignature("c2ln")]
    told = whole([START, *thought, Step(rb'"Bash: ls\n"'), *thought, TextDelta(b'"a"'), END])["content"]
    assert [(block.get("thinking"), block.get("signature")) for block in told] == [
        ("hm", "c2ln"),
        ("Bash: ls\n", SHOWN),
        ("hm", "c2ln"),
        (None, None),
    ]


def test_citations():
    """What the API cites comes with the text that cites it, which is a block of its own."""
    quote = {"type": "char_location", "cited_text": "small", "document_index": 0, "document_title": "K"}
    quote |= {"start_char_index": 0, "end_char_index": 5, "file_id": None}
    events = [START, TextDelta(b'"They are "'), TextBreak(), TextDelta(b'"small"'), Quote(json.dumps(quote).encode())]
    events += [TextBreak(), TextDelta(b'"."'), TextBreak(), Quote(json.dumps(quote).encode()), TextDelta(b'"So."'), END]
    told = whole(events)
    assert [(block["text"], block.get("citations")) for block in told["content"]] == [
        ("They are ", None),
        ("small", [quote]),
        (".", None),
        ("So.", [quote]),
    ]
    Message.model_validate(told)
    found = streamed(events)
    for event in found:
        event_type.validate_python(event)
    cited = [event for event in found if event.get("delta", {}).get("type") == "citations_delta"]
    assert [(event["index"], event["delta"]["citation"]) for event in cited] == [(1, quote), (3, quote)]
