"""Replies as events and as messages."""

from __future__ import annotations

import json

import pytest

from app.standin import Reply, SearchResults, Text, Thinking, ToolUse, WebSearch, stream

BODY = {"model": "claude-opus-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}


def played(reply, **extra):
    return [event.data for event in stream.events(reply, {**BODY, **extra})]


def text_of(seen):
    return "".join(event["delta"].get("text", "") for event in seen if event["type"] == "content_block_delta")


def test_message_start_carries_the_empty_message():
    """The first event has the model asked for, no content, no stop reason, and the prompt's usage."""
    start = played(Reply((Text("x"),), input_tokens=3, cache_read=4, cache_creation=5))[0]["message"]
    assert start["id"].startswith("msg_")
    assert (start["type"], start["role"], start["model"]) == ("message", "assistant", "claude-opus-5")
    assert (start["content"], start["stop_reason"], start["stop_sequence"]) == ([], None, None)
    usage = start["usage"]
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    assert tuple(usage[name] for name in names) == (3, 4, 5, 1)


def test_message_delta_carries_the_final_usage():
    """The usage of message_delta counts the words of text and thinking, unless the reply says otherwise."""
    blocks = (Thinking("let me see"), Text(["a b", " c"]))
    usage = played(Reply(blocks))[-2]["usage"]
    assert (usage["output_tokens"], usage["output_tokens_details"]) == (6, {"thinking_tokens": 3})
    usage = played(Reply(blocks, output_tokens=50, thinking_tokens=40))[-2]["usage"]
    assert (usage["output_tokens"], usage["output_tokens_details"]) == (50, {"thinking_tokens": 40})


def test_unknown_input_tokens_are_estimated():
    """Without `input_tokens` a longer prompt counts for more."""
    short = played(Reply((Text("x"),)))[0]["message"]["usage"]["input_tokens"]
    long = played(Reply((Text("x"),)), system="word " * 400)[0]["message"]["usage"]["input_tokens"]
    assert long - short == pytest.approx(500, abs=5)


def test_blocks_are_numbered_in_order():
    """Each block is started, filled and stopped under its own index before the next one starts."""
    seen = played(Reply((Thinking("a"), Text("b"), ToolUse("f", {}), ToolUse("g", {"x": 1}))))
    assert [event["index"] for event in seen if event["type"] == "content_block_start"] == [0, 1, 2, 3]
    indexes = [event["index"] for event in seen if "index" in event]
    assert indexes == sorted(indexes)
    kinds = [event["content_block"]["type"] for event in seen if event["type"] == "content_block_start"]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"]


@pytest.mark.parametrize("parts", [1, 2, 3, 100])
def test_tool_input_travels_in_parts(parts):
    """A call opens with an empty piece, and the other pieces join to the input's JSON."""
    call = ToolUse("weather", {"city": "Zürich", "days": [1, 2]}, parts=parts)
    pieces = [
        event["delta"]["partial_json"] for event in played(Reply((call,))) if event["type"] == "content_block_delta"
    ]
    assert pieces[0] == ""
    assert json.loads("".join(pieces)) == {"city": "Zürich", "days": [1, 2]}
    assert len(pieces) - 1 <= parts
    assert len(pieces) - 1 == min(parts, len("".join(pieces)))


def test_empty_tool_input_has_only_the_empty_piece():
    """A call without arguments streams no JSON at all, as the real API does."""
    deltas = [event for event in played(Reply((ToolUse("now", {}),))) if event["type"] == "content_block_delta"]
    assert [event["delta"] for event in deltas] == [{"type": "input_json_delta", "partial_json": ""}]


def test_tool_ids_are_made_up_and_differ():
    """A call without an id gets one of the API's form."""
    first, second = ToolUse("f", {}), ToolUse("f", {})
    assert first.id.startswith("toolu_")
    assert first.id != second.id
    assert ToolUse("f", {}, id="x").id == "x"


@pytest.mark.parametrize(
    ("blocks", "stop", "expected"),
    [
        ((Text("x"),), None, "end_turn"),
        ((Text("x"), ToolUse("f", {})), None, "tool_use"),
        ((Text("x"),), "refusal", "refusal"),
        ((), None, "end_turn"),
    ],
)
def test_stop_reason(blocks, stop, expected):
    """The stop reason is the reply's own, else follows from its blocks."""
    assert played(Reply(blocks, stop_reason=stop))[-2]["delta"]["stop_reason"] == expected


@pytest.mark.parametrize(
    ("chunks", "limit", "text", "reason"),
    [
        (["one ", "two ", "three"], 2, "one two ", "max_tokens"),
        (["one ", "two ", "three"], 3, "one two three", "end_turn"),
        ("one two three", 2, "one two", "max_tokens"),
        (["a b", " c d"], 3, "a b c", "max_tokens"),
        (["ab", "cd", "ef"], 1, "ab", "max_tokens"),
    ],
)
def test_max_tokens_ends_the_text(chunks, limit, text, reason):
    """A text longer than `max_tokens` words ends there; one that just fits ends by itself."""
    seen = played(Reply((Text(chunks),)), max_tokens=limit)
    assert text_of(seen) == text
    assert seen[-2]["delta"]["stop_reason"] == reason
    assert seen[-2]["usage"]["output_tokens"] <= limit


def test_max_tokens_spans_blocks():
    """Thinking uses up the same budget, the signature of broken thinking is left out, later blocks do not come."""
    reply = Reply((Thinking("one two three"), Text("four")))
    seen = played(reply, max_tokens=2)
    assert [event["type"] for event in seen].count("content_block_start") == 1
    assert not any(event.get("delta", {}).get("type") == "signature_delta" for event in seen)
    assert seen[-2]["delta"]["stop_reason"] == "max_tokens"
    assert text_of(played(reply, max_tokens=3)) == ""
    assert text_of(played(reply, max_tokens=4)) == "four"


def test_max_tokens_breaks_a_call():
    """A call cut by `max_tokens` has unfinished JSON in the stream, and an empty input in a message."""
    reply = Reply((ToolUse("f", {"a": "long enough"}, parts=3),))
    pieces = [
        event["delta"]["partial_json"]
        for event in played(reply, max_tokens=2)
        if event["type"] == "content_block_delta"
    ]
    with pytest.raises(json.JSONDecodeError):
        json.loads("".join(pieces))
    whole = stream.message(reply, {**BODY, "max_tokens": 2})
    assert (whole["content"][0]["input"], whole["stop_reason"]) == ({}, "max_tokens")


@pytest.mark.parametrize(
    ("chunks", "stops", "text", "found"),
    [
        (["one STOP two"], ["STOP"], "one ", "STOP"),
        (["one ST", "OP two"], ["STOP"], "one ", "STOP"),
        (["one", " two", " three"], ["three", "two"], "one ", "two"),
        (["STOP"], ["STOP"], "", "STOP"),
        (["one two"], ["STOP"], "one two", None),
    ],
)
def test_stop_sequences_end_the_text(chunks, stops, text, found):
    """The text ends before the first stop sequence, even one that two deltas share, and the sequence is named."""
    seen = played(Reply((Text(chunks), Text("after"))), stop_sequences=stops)
    assert text_of(seen) == text + ("" if found else "after")
    reason = "stop_sequence" if found else "end_turn"
    assert seen[-2]["delta"] == {"stop_reason": reason, "stop_sequence": found}
    assert all(event["delta"]["text"] for event in seen if event["type"] == "content_block_delta")


def test_the_earlier_end_wins():
    """When `max_tokens` is reached before the stop sequence, the answer ends for length."""
    reply = Reply((Text("a b c STOP"),))
    assert played(reply, max_tokens=2, stop_sequences=["STOP"])[-2]["delta"]["stop_reason"] == "max_tokens"
    assert played(reply, max_tokens=3, stop_sequences=["STOP"])[-2]["delta"]["stop_reason"] != "end_turn"


def test_stop_sequences_do_not_touch_thinking():
    """Only the answer's text is searched."""
    seen = played(Reply((Thinking("STOP"), Text("fine"))), stop_sequences=["STOP"])
    assert text_of(seen) == "fine"


def test_message_and_events_agree():
    """The same reply, whole, has what its events add up to."""
    reply = Reply((Thinking(["a", "b"], "sig"), Text(["c", "d"]), ToolUse("f", {"x": 1}, id="toolu_1")))
    whole = stream.message(reply, BODY)
    assert whole["content"] == [
        {"type": "thinking", "thinking": "ab", "signature": "sig"},
        {"type": "text", "text": "cd"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}},
    ]
    end = played(reply)[-2]
    assert (whole["stop_reason"], whole["usage"]) == (end["delta"]["stop_reason"], end["usage"])


def test_pauses_lie_between_deltas():
    """A block's pause comes before each of its deltas but the first, and before nothing else."""
    pauses = [event.pause for event in stream.events(Reply((Text(["a", "b", "c"], pause=2),)), BODY)]
    assert pauses == [0, 0, 0, 0, 2, 2, 0, 0, 0]


def test_text_beyond_ascii_is_sent_as_it_is():
    """Events carry UTF-8, not escapes, so that a client sees characters split between reads."""
    data = b"".join(event.encode() for event in stream.events(Reply((Text("größer 🐍"),)), BODY))
    assert "größer 🐍".encode() in data


def test_search():
    """A search that the API makes by itself is a call and its results, streamed as in a whole message."""
    reply = Reply((WebSearch("kittens"), SearchResults([("Kittens", "https://a.example")]), Text("Small.")))
    blocks = [event["content_block"] for event in played(reply) if event["type"] == "content_block_start"]
    call, found, text = stream.message(reply, BODY)["content"]
    assert [block["type"] for block in blocks] == ["server_tool_use", "web_search_tool_result", "text"]
    assert (call["input"], blocks[0]["input"]) == ({"query": "kittens"}, {})
    assert found == blocks[1]
    assert found["tool_use_id"] == call["id"]
    assert found["content"][0]["url"] == "https://a.example"
    assert (text["text"], stream.message(reply, BODY)["stop_reason"]) == ("Small.", "end_turn")
    deltas = [event["delta"] for event in played(reply) if event["type"] == "content_block_delta"]
    assert deltas[0] == {"type": "input_json_delta", "partial_json": '{"query": "kittens"}'}
