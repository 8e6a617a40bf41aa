"""A turn becomes a response, whole or as events, and both tell the same."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from app.dialects.responses import objects
from app.dialects.responses.response import finished
from app.dialects.responses.schema import ResponseRequest
from app.dialects.responses.stream import ResponseStream
from app.errors import AnswerCut, PlanLimit, ProxyError
from app.events import (
    Fallback,
    Restart,
    Retrying,
    Source,
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
from dialects.events import named_events, turns

REQUEST = ResponseRequest("sonnet", "Hi", tools=[{"type": "function", "name": "look", "parameters": {}}])
START = TurnStart("claude-sonnet-5-5")
END = TurnEnd("end_turn", Usage(12, 7, 5, 3, 2))
event_type = TypeAdapter(ResponseStreamEvent)


def begun():
    return objects.begun("resp_1", REQUEST, stored=True)


def streamed(*batches, thinking=True):
    """Return the events of a stream, numbered without a gap."""
    stream = ResponseStream(begun(), thinking=thinking)
    found = named_events(b"".join(stream.feed(batch) for batch in batches))
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def whole(*batches, thinking=True):
    return json.loads(msgspec.json.encode(finished(batches, begun(), thinking=thinking)))


def timeless(response):
    return {key: value for key, value in response.items() if key not in {"created_at", "completed_at"}}


@given(turns())
def test_the_same_either_way(batches):
    """The stream's last event holds the response that comes whole; all are of the SDK's types, which follows them."""
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    found = streamed(*batches)
    for event in found:
        event_type.validate_python(event)
        state.handle_event(construct_type(type_=ResponseStreamEvent, value=event))
    told = whole(*batches)
    Response.model_validate(told)
    assert timeless(found[-1]["response"]) == timeless(told)
    assert found[-1]["type"] == f"response.{told['status']}"
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert done == told["output"]


def test_stream():
    """Reasoning, text and a call are items, one after the other, each begun and ended."""
    found = streamed(
        [START, ThinkingDelta(b'"hm"'), ThinkingSignature("c2ln")],
        [TextDelta(b'"a"'), TextDelta(b'"b"'), ToolCallStart(0, "toolu1", "look"), ToolCallDelta(0, b'"{}"')],
        [TurnEnd("tool_use", END.usage)],
    )
    assert [event["type"].removeprefix("response.") for event in found] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    response = found[-1]["response"]
    assert [item["id"] for item in response["output"]] == ["rs_1_0", "msg_1_1", "fc_1_2"]
    assert [item.get("call_id") for item in response["output"]] == [None, None, "toolu1"]
    assert response["model"] == "claude-sonnet-5-5"
    assert response["usage"] == {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 27,
    }


def test_reasoning_not_asked_for():
    """Without a summary asked for there is no item for it."""
    batch = [START, ThinkingDelta(b'"hm"'), ThinkingSignature("c2ln"), TextDelta(b'"a"'), END]
    assert [item["type"] for item in whole(batch, thinking=False)["output"]] == ["message"]


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("max_tokens", "max_output_tokens"),
        ("model_context_window_exceeded", "max_output_tokens"),
        ("refusal", "content_filter"),
    ],
)
def test_incomplete(stop, reason):
    """An answer that is not whole says so, and so does its last item."""
    batch = [START, TextDelta(b'"a"'), TurnEnd(stop, Usage())]
    response = whole(batch)
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert response["output"][0]["status"] == "incomplete"
    assert streamed(batch)[-1]["type"] == "response.incomplete"


def test_beginning():
    """The stream begins when the turn does, with the model that answers; else with a sign of life, and only once."""
    created, in_progress, *_ = streamed([Retrying("overloaded")], [START, TextDelta(b'"a"')])
    assert [event["type"] for event in (created, in_progress)] == ["response.created", "response.in_progress"]
    assert created["response"]["model"] == START.model
    stream = ResponseStream(begun(), thinking=True)
    early = named_events(stream.heartbeat() + stream.heartbeat() + stream.feed([START]))
    states = ["response.created", *["response.in_progress"] * 2]
    assert [(event["type"], event["response"]["model"]) for event in early] == [(state, "sonnet") for state in states]


def test_beginning_of_a_fallback():
    """Where another model is asked, a response that begins with a sign of life has that one's name."""
    stream = ResponseStream(begun(), thinking=True)
    assert stream.feed([Fallback("haiku")]) == b""
    assert {event["response"]["model"] for event in named_events(stream.heartbeat())} == {"haiku"}


def test_failed_before_the_beginning():
    """A response that fails before its turn has begun begins all the same, then fails."""
    found = named_events(ResponseStream(begun(), thinking=True).error(ProxyError("Why.")))
    names = ["created", "in_progress", "failed"]
    assert [event["type"] for event in found] == [f"response.{name}" for name in names]
    assert [event["response"]["status"] for event in found] == ["in_progress", "in_progress", "failed"]


def test_restart():
    """A whole response has nothing of an answer that broke off; sent text makes the stream fail."""
    batch = [START, ThinkingDelta(b'"hm"'), TextDelta(b'"a"'), Restart(0), TextDelta(b'"b"'), END]
    (item,) = whole(batch)["output"]
    assert item["content"][0]["text"] == "b"
    stream = ResponseStream(begun(), thinking=True)
    with pytest.raises(AnswerCut):
        stream.feed(batch)


@pytest.mark.parametrize(
    ("error", "code"), [(ProxyError("Why."), "server_error"), (PlanLimit("Why."), "rate_limit_exceeded")]
)
def test_failed(error, code):
    """A failure ends the stream with the response that failed, and all there is of it."""
    stream = ResponseStream(begun(), thinking=True)
    stream.feed([START, TextDelta(b'"a"')])
    (event,) = named_events(stream.error(error))
    event_type.validate_python(event)
    assert event["type"] == "response.failed"
    assert (event["response"]["status"], event["response"]["error"]) == ("failed", {"code": code, "message": "Why."})
    assert event["response"]["output"][0]["content"][0]["text"] == "a"


def test_repeated():
    """The response repeats what was asked for."""
    request = ResponseRequest(
        "sonnet", "Hi", instructions="I", metadata={"a": "b"}, tool_choice="none", max_output_tokens=5, temperature=0.5
    )
    response = objects.begun("resp_1", request, stored=False)
    assert (response["instructions"], response["metadata"], response["tool_choice"]) == ("I", {"a": "b"}, "none")
    assert (response["max_output_tokens"], response["temperature"], response["store"]) == (5, 0.5, False)


WORK = [
    START,
    TextDelta(b'"I look. "'),
    Step(rb'"WebSearch: x\n"'),
    Step(rb'"  A https://a.example/x\n"'),
    Source("https://a.example/x", "A"),
    TextDelta(b'"See [A](https://a.example/x)."'),
    END,
]


@pytest.mark.parametrize("thinking", [False, True])
def test_steps(thinking):
    """What an agent does is a reasoning item between the messages, whether a summary is asked for or not."""
    told = whole(WORK, thinking=thinking)["output"]
    assert [item["type"] for item in told] == ["message", "reasoning", "message"]
    assert told[1]["summary"] == [{"type": "summary_text", "text": "WebSearch: x\n  A https://a.example/x\n"}]
    deltas = [event["delta"] for event in streamed(WORK, thinking=thinking) if "summary_text.delta" in event["type"]]
    assert "".join(deltas) == told[1]["summary"][0]["text"]


def test_sources():
    """The pages that a message links are annotations of it, told before its text is done."""
    where = {"start_index": 4, "end_index": 28, "url": "https://a.example/x", "title": "A"}
    expected = {"type": "url_citation", **where}
    first, _, last = whole(WORK)["output"]
    assert first["content"][0]["annotations"] == []
    assert last["content"][0]["annotations"] == [expected]
    found = streamed(WORK)
    (added,) = (event for event in found if event["type"] == "response.output_text.annotation.added")
    assert (added["annotation"], added["annotation_index"], added["item_id"]) == (expected, 0, last["id"])
    kinds = [event["type"] for event in found]
    assert kinds[kinds.index(added["type"]) + 1] == "response.output_text.done"


def test_sources_that_are_not_linked():
    """Where no message links a page, the last one rests on all of them."""
    events = [START, Source("https://a.example", "A"), TextDelta(b'"One."'), Step(b'"Bash"'), TextDelta(b'"Two."'), END]
    first, _, last = whole(events)["output"]
    assert first["content"][0]["annotations"] == []
    assert [(note["start_index"], note["end_index"]) for note in last["content"][0]["annotations"]] == [(4, 4)]


def test_half_a_character():
    """An answer that is cut within a character has its sources all the same."""
    events = [START, Source("https://a.example", "A"), TextDelta(rb'"Yes \ud83d"'), TurnEnd("max_tokens", Usage())]
    (note,) = whole(events)["output"][0]["content"][0]["annotations"]
    assert (note["url"], note["start_index"]) == ("https://a.example", 5)
