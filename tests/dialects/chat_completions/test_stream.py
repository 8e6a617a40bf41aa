"""A running turn becomes chunks that OpenAI's own types accept, and that add up to the whole completion."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from app.dialects.chat_completions.response import Identity, completion
from app.dialects.chat_completions.stream import ChatStream
from app.errors import AnswerCut, PlanLimit
from app.events import Restart, TextDelta, ThinkingDelta, TurnEnd, TurnStart, Usage
from dialects.events import turns

WHO = Identity("chatcmpl-1", 1700000000)
START, END = TurnStart("claude-sonnet-5-5"), TurnEnd("end_turn", Usage(1, 2))


def new(*, include_usage=False, reasoning=False):
    return ChatStream(WHO, "sonnet", include_usage=include_usage, reasoning=reasoning)


def data_of(sent):
    """Return the data of each event; fail for anything that is not a data event of one line."""
    assert sent == b"" or sent.endswith(b"\n\n")
    events = sent.decode().removesuffix("\n\n").split("\n\n") if sent else []
    assert all(event.startswith("data: ") and "\n" not in event and "\r" not in event for event in events)
    return [event[6:] for event in events]


def chunks_of(sent):
    """Return the chunks of a whole stream, each checked by OpenAI's types."""
    *events, done = data_of(sent)
    assert done == "[DONE]"
    decoded = [json.loads(event) for event in events]
    for chunk in decoded:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return decoded


def added_up(deltas):
    """Return the message that a client makes of the deltas."""
    message = {"content": "", "reasoning_content": "", "tool_calls": []}
    for delta in deltas:
        for key in ("content", "reasoning_content"):
            message[key] += delta.get(key) or ""
        for part in delta.get("tool_calls", []):
            if "id" in part:
                assert part["index"] == len(message["tool_calls"])
                message["tool_calls"].append({**part, "function": dict(part["function"])})
            else:
                message["tool_calls"][part["index"]]["function"]["arguments"] += part["function"]["arguments"]
    for part in message["tool_calls"]:
        del part["index"]
    return {key: value for key, value in message.items() if value}


@given(turns(), st.booleans(), st.booleans(), st.lists(st.integers(0, 20), max_size=3))
def test_any_turn(batches, include_usage, reasoning, beats):
    """Any turn, with heartbeats anywhere, gives legal chunks whose deltas add up to the whole completion."""
    stream = new(include_usage=include_usage, reasoning=reasoning)
    sent = b""
    for index, batch in enumerate(batches):
        if index in beats:
            sent += stream.heartbeat()
        sent += stream.feed(batch)
    chunks = chunks_of(sent)
    whole = json.loads(completion(batches, WHO, reasoning=reasoning))
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    message = whole["choices"][0]["message"]
    assert added_up(choice["delta"] for choice in choices) == {
        key: message[key] for key in ("content", "reasoning_content", "tool_calls") if message.get(key)
    }
    assert [choice["finish_reason"] for choice in choices][:-1] == [None] * (len(choices) - 1)
    assert choices[-1]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert choices[-1]["delta"] == {}
    assert ["role" in choice["delta"] for choice in choices] == [True] + [False] * (len(choices) - 1)
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert chunks[-1]["usage"] == whole["usage"]


def test_usage_asked():
    """Asked for, the counts come in a chunk of their own, and every other has `usage: null`."""
    chunks = chunks_of(new(include_usage=True).feed([START, TextDelta(b'"a"'), END]))
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 3
    assert chunks[-1]["choices"] == []


def test_usage_not_asked():
    """Unasked, no chunk is without choices, and the counts are on the last."""
    chunks = chunks_of(new().feed([START, TextDelta(b'"a"'), END]))
    assert all(chunk["choices"] for chunk in chunks)
    assert ["usage" in chunk for chunk in chunks] == [False, False, True]


def test_the_clis_own_bytes():
    """A text goes out as the bytes the CLI wrote."""
    stream = new()
    stream.feed([START])
    assert rb'"content":"gr\u00f6\u00dfe \ud83d\ude42 \n"' in stream.feed(
        [TextDelta(rb'"gr\u00f6\u00dfe \ud83d\ude42 \n"')]
    )


def test_beginning():
    """The first line of a stream is the data of the chunk that tells the role, with the model that answers."""
    first = json.loads(data_of(new().feed([START]))[0])
    assert (first["model"], first["choices"][0]["delta"]) == (START.model, {"role": "assistant", "content": ""})


def test_heartbeat_before_the_turn():
    """A heartbeat before anything is known opens the message under the model that was asked for, for good."""
    stream = new()
    first = json.loads(data_of(stream.heartbeat())[0])
    assert (first["model"], first["choices"][0]["delta"]["role"]) == ("sonnet", "assistant")
    rest = [json.loads(data) for data in data_of(stream.feed([START, TextDelta(b'"a"')]))]
    assert [(chunk["model"], chunk["choices"][0]["delta"]) for chunk in rest] == [("sonnet", {"content": "a"})]


def test_heartbeat():
    """A later heartbeat is a chunk that changes nothing."""
    stream = new()
    stream.feed([START])
    (beat,) = data_of(stream.heartbeat())
    assert json.loads(beat)["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}]


@pytest.mark.parametrize("batch", [[], [ThinkingDelta(b'"hm"')]])
def test_nothing_to_say(batch):
    """What gives no chunk gives no bytes."""
    stream = new()
    stream.feed([START])
    assert stream.feed(batch) == b""


def test_error():
    """An error inside the stream is one data event with all four keys, and no end mark."""
    (data,) = data_of(new().error(PlanLimit("usage limit\n\nreached", retry_after=5)))
    error = {
        "message": "usage limit\n\nreached",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert json.loads(data) == {"error": error}


def test_restart_of_what_was_sent():
    """Text that has been sent cannot be taken back: the stream fails."""
    stream = new()
    stream.feed([START, TextDelta(b'"a"')])
    with pytest.raises(AnswerCut):
        stream.feed([Restart(0)])


def test_restart_of_nothing():
    """An answer that broke off before any text goes on."""
    stream = new()
    stream.feed([START, TextDelta(b'"a"')])
    assert stream.feed([Restart(1), TextDelta(b'"b"')])
