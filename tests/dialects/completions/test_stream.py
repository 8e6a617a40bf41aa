"""Turns become completions and chunks that OpenAI's own types accept, and both say the same."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types import Completion

from app.dialects.completions.response import completion, finish_reason
from app.dialects.completions.stream import CompletionStream
from app.dialects.openai.answers import Identity
from app.errors import AnswerCut, PlanLimit
from app.events import ChoiceEvent, Restart, TextDelta, TurnEnd, TurnStart, Usage
from dialects.events import turns

WHO = Identity("cmpl-1", 1700000000)
START, END = TurnStart("claude-sonnet-5-5"), TurnEnd("end_turn", Usage(1, 2))


def new(*echoes, include_usage=False):
    return CompletionStream(WHO, "sonnet", include_usage=include_usage, echoes=echoes or ("",))


def whole(*events, echoes=("",)):
    return json.loads(completion([list(events)], WHO, echoes))


def chunks_of(sent):
    """Return the chunks of a whole stream, each checked by OpenAI's types."""
    *found, done = [event.removeprefix("data: ") for event in sent.decode().removesuffix("\n\n").split("\n\n")]
    assert done == "[DONE]"
    decoded = [json.loads(event) for event in found]
    for chunk in decoded:
        # OpenAI's type has no room for a null there, though its chunks hold it.
        for choice in chunk["choices"]:
            filled = {**chunk, "choices": [{**choice, "finish_reason": choice["finish_reason"] or "stop"}]}
            Completion.model_validate(filled, strict=True)
    return decoded


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(turns(), min_size=1, max_size=3), st.booleans(), st.booleans(), st.text(max_size=5))
def test_any_turns(all_turns, include_usage, echo, prompt):
    """Any turns side by side, with heartbeats among them, give chunks that add up to the whole completion."""
    echoes = [prompt if echo else "" for _ in all_turns]
    marked = [[[ChoiceEvent(place, e) for e in batch] for batch in turn] for place, turn in enumerate(all_turns)]
    batches = [batch for row in itertools.zip_longest(*marked, fillvalue=None) for batch in row if batch is not None]
    stream = new(*echoes, include_usage=include_usage)
    sent = b"".join(stream.feed(batch) if batch else stream.heartbeat() for batch in batches)
    chunks = chunks_of(sent)
    data = json.loads(completion(batches, WHO, echoes))
    Completion.model_validate(data, strict=True)
    texts, reasons = [""] * len(all_turns), [None] * len(all_turns)
    for choice in (chunk["choices"][0] for chunk in chunks if chunk["choices"]):
        assert reasons[choice["index"]] is None
        texts[choice["index"]] += choice["text"]
        reasons[choice["index"]] = choice["finish_reason"]
    assert texts == [choice["text"] for choice in data["choices"]]
    assert reasons == [choice["finish_reason"] for choice in data["choices"]]
    assert chunks[-1]["usage"] == data["usage"]
    assert (chunks[-1]["choices"] == []) is include_usage
    assert {(chunk["id"], chunk["object"]) for chunk in chunks} == {("cmpl-1", "text_completion")}


def test_whole():
    """A completion has every key OpenAI's has, and its text begins with the echo."""
    data = whole(START, TextDelta(b'" upon"'), TextDelta(b'" a"'), END, echoes=['"Once"'])
    assert data["choices"] == [{"text": '"Once" upon a', "index": 0, "logprobs": None, "finish_reason": "stop"}]
    assert (data["id"], data["object"], data["model"]) == ("cmpl-1", "text_completion", "claude-sonnet-5-5")
    assert data["usage"]["total_tokens"] == 3


def test_no_text():
    """Without an answer the text is empty, not null."""
    assert whole(START, END)["choices"][0]["text"] == ""


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("tool_use", "stop"),
        ("x", "stop"),
    ],
)
def test_finish_reason(stop, reason):
    """Each stop reason has one of the three words there are for it."""
    assert finish_reason(stop) == reason


def test_stream():
    """A stream is the echo, the text as the CLI wrote it, and an end with the reason and the counts."""
    sent = new("Once").feed([START, TextDelta(rb'" \u00fcber"'), END])
    assert rb'"text":" \u00fcber"' in sent
    chunks = chunks_of(sent)
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["Once", " über", ""]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]
    assert ["usage" in chunk for chunk in chunks] == [False, False, True]


def test_heartbeat():
    """A heartbeat is a chunk with an empty text, before the turn as well as in it."""
    stream = new()
    for model in ("sonnet", "sonnet"):
        beat = json.loads(stream.heartbeat().removeprefix(b"data: "))
        assert beat["choices"] == [{"text": "", "index": 0, "logprobs": None, "finish_reason": None}]
        assert beat["model"] == model
        assert stream.feed([START]) == b""


def test_heartbeat_with_echo():
    """Before the turn it may be the echo, which comes once."""
    stream = new("Once")
    assert json.loads(stream.heartbeat().removeprefix(b"data: "))["choices"][0]["text"] == "Once"
    assert b"Once" not in stream.heartbeat() + stream.feed([START, END])


def test_restart():
    """What broke off is taken back where it can be, and fails the stream where it has been sent."""
    pieces = [START, TextDelta(b'"a"'), TextDelta(b'"b"')]
    assert whole(*pieces, Restart(1), TextDelta(b'"c"'), END)["choices"][0]["text"] == "ac"
    stream = new()
    stream.feed(pieces)
    assert stream.feed([Restart(2)]) == b""
    with pytest.raises(AnswerCut):
        stream.feed([Restart(1)])


def test_error():
    """An error inside the stream is one data event, and no end mark."""
    sent = new().error(PlanLimit("usage limit reached"))
    assert json.loads(sent.removeprefix(b"data: "))["error"]["code"] == "rate_limit_exceeded"
    assert sent.count(b"data:") == 1
