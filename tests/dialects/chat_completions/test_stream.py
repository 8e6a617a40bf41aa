"""A running turn becomes chunks that OpenAI's own types accept, and that add up to the whole completion."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from app.dialects.chat_completions.response import Identity, completion
from app.dialects.chat_completions.stream import ChatStream
from app.errors import AnswerCut, PlanLimit
from app.events import Fallback, Restart, Source, Step, TextDelta, ThinkingDelta, TurnEnd, TurnStart, Usage
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
    message = {"content": "", "reasoning_content": "", "tool_calls": [], "annotations": []}
    for delta in deltas:
        message["annotations"] += delta.get("annotations", [])
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
        key: message[key] for key in ("content", "reasoning_content", "tool_calls", "annotations") if message.get(key)
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


def test_heartbeat_of_a_fallback():
    """Where another model is asked, the message is opened under that one's name."""
    stream = new()
    assert stream.feed([Fallback("haiku")]) == b""
    assert json.loads(data_of(stream.heartbeat())[0])["model"] == "haiku"


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


WORK = [
    START,
    TextDelta(b'"I look. "'),
    Step(rb'"Bash: ls\n"'),
    Step(rb'"  a (2 more lines)\n"'),
    Source("https://a.example/x", "A"),
    TextDelta(b'"See [A](https://a.example/x)."'),
    END,
]


def test_steps():
    """What an agent does comes as reasoning, whether thinking is asked for or not, and never as a call."""
    for reasoning in (False, True):
        chunks = chunks_of(new(reasoning=reasoning).feed(WORK))
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        shown = "Bash: ls\n  a (2 more lines)\n"
        assert "".join(delta.get("reasoning_content", "") for delta in deltas) == shown
        assert not any("tool_calls" in delta for delta in deltas)
        message = json.loads(completion([WORK], WHO, reasoning=reasoning))["choices"][0]["message"]
        assert (message["reasoning_content"], message["content"]) == (shown, "I look. See [A](https://a.example/x).")
        assert "tool_calls" not in message


def test_half_a_character():
    """An answer that is cut within a character has its sources all the same, streamed and whole."""
    events = [START, Source("https://a.example", "A"), TextDelta(rb'"Yes \ud83d"'), TurnEnd("max_tokens", Usage())]
    notes = [
        added_up(json.loads(data)["choices"][0]["delta"] for data in data_of(new().feed(events))[:-1])["annotations"],
        json.loads(completion([events], WHO, reasoning=False))["choices"][0]["message"]["annotations"],
    ]
    for (note,) in notes:
        assert (note["url_citation"]["url"], note["url_citation"]["start_index"]) == ("https://a.example", 5)


def test_steps_beside_thinking():
    """A blank line stands between thinking and what follows from it, if the client sees both."""
    events = [START, ThinkingDelta(b'"hm"'), Step(rb'"Bash: ls\n"'), Step(rb'"  a\n"'), END]
    for reasoning, shown in ((True, "hm\n\nBash: ls\n  a\n"), (False, "Bash: ls\n  a\n")):
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks_of(new(reasoning=reasoning).feed(events))]
        assert added_up(deltas)["reasoning_content"] == shown


def test_sources():
    """The pages that the answer links are annotations, in the last delta before the end as in the whole message."""
    where = {"start_index": 12, "end_index": 36, "url": "https://a.example/x", "title": "A"}
    expected = [{"type": "url_citation", "url_citation": where}]
    chunks = chunks_of(new().feed(WORK))
    assert [chunk["choices"][0]["delta"].get("annotations") for chunk in chunks[-2:]] == [expected, None]
    message = json.loads(completion([WORK], WHO, reasoning=False))["choices"][0]["message"]
    assert message["annotations"] == expected
    assert message["content"][12:36] == "[A](https://a.example/x)"
    ChatCompletion.model_validate_json(completion([WORK], WHO, reasoning=False), strict=True)
