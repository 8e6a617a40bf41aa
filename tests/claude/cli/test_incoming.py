"""The CLI's lines become typed objects; what is new is skipped, what is broken raises."""

from __future__ import annotations

import contextlib
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.cli.incoming import (
    LONG_LINE_BYTES,
    Assistant,
    ControlResponse,
    LineBuffer,
    RateLimitEvent,
    Result,
    StreamEvent,
    System,
    User,
    decode,
)
from app.errors import CliFailed
from claude import cli_lines as cli

UNKNOWN = {
    "a new type": b'{"type":"horoscope","text":"rain"}',
    "a new type, named last": b'{"text":"rain","more":{"type":3},"type":"horoscope"}',
    "results of tools, very long": b'{"type":"user","message":{"role":"user","content":"'
    + b"x" * LONG_LINE_BYTES
    + b'"}}',
}
BROKEN = {
    "words": b"this is not JSON",
    "half an object": b'{"type":"result","is_error":',
    "a list": b"[]",
    "no type": b'{"text":"rain"}',
    "a type that is no text": b'{"type":7}',
    "a result out of shape": b'{"type":"result","is_error":"perhaps"}',
    "an event without its event": b'{"type":"stream_event","parent_tool_use_id":null}',
    "bytes that are no UTF-8": b'{"type":"system","subtype":"\xff"}',
    "too deep": b'{"type":"result","usage":' + b"[" * 100_000,
}


def test_stream_event():
    """A delta's text stays the JSON string the CLI wrote, escapes and all."""
    line = decode(cli.text('größe\n"🙂"'))
    assert isinstance(line, StreamEvent)
    assert bytes(line.event.delta.text) == '"größe\\n\\"🙂\\""'.encode()


@pytest.mark.parametrize(
    ("raw", "kind", "facts"),
    [
        (cli.result(), Result, {"is_error": False, "api_error_status": None}),
        (cli.failed("no", api_error_status=529), Result, {"is_error": True, "api_error_status": 529}),
        (cli.api_retry(attempt=2), System, {"subtype": "api_retry", "attempt": 2, "error_status": 529}),
        (cli.own_words("no", "rate_limit"), Assistant, {"error": "rate_limit"}),
        (cli.raw("user", message={"role": "user", "content": "Resume"}), User, {"parent_tool_use_id": None}),
        (cli.raw("user", message=7, tool_use_result=[], parent_tool_use_id=7), User, {"parent_tool_use_id": 7}),
        (cli.raw("system", subtype="init", tools=[], model="m"), System, {"subtype": "init", "error": None}),
    ],
)
def test_shapes(raw, kind, facts):
    """Each kind of line gives the fields that decide about a turn."""
    line = decode(raw)
    assert isinstance(line, kind)
    assert facts == {name: getattr(line, name) for name in facts}


def test_rate_limit():
    """The reset time is read from its camel-case key."""
    line = decode(cli.rate_limit("rejected", resetsAt=1795357191, rateLimitType="five_hour"))
    assert isinstance(line, RateLimitEvent)
    assert (line.rate_limit_info.status, line.rate_limit_info.resets_at) == ("rejected", 1795357191)


def test_models():
    """The answer to `initialize` brings the models of this login."""
    models = [
        {"value": "sonnet", "resolvedModel": "claude-sonnet-5-5", "displayName": "Sonnet", "supportsEffort": True}
    ]
    line = decode(cli.control(response={"commands": [], "models": models}))
    assert isinstance(line, ControlResponse)
    assert [m.resolved_model for m in line.response.models()] == ["claude-sonnet-5-5"]


@pytest.mark.parametrize("raw", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown(raw):
    """A type that this version does not know is skipped, whatever it holds."""
    assert decode(raw) is None


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_broken(raw):
    """A line that is not JSON, or a known type out of shape, raises the protocol error, and nothing else."""
    with pytest.raises(CliFailed) as caught:
        decode(raw)
    assert caught.value.code == "cli_protocol"


@given(st.one_of(st.binary(), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)))
def test_anything(data):
    """No bytes raise anything but the protocol error."""
    line = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    with contextlib.suppress(CliFailed):
        decode(line)


def pieces(data, cuts):
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(
    st.lists(st.sampled_from([b"\n", b"{}", "ü🙂".encode(), b" ", b"\r", b"x"]) | st.binary(max_size=8)).map(b"".join),
    st.lists(st.integers(min_value=0, max_value=10_000), max_size=20),
)
def test_cuts(data, cuts):
    """Any bytes, cut anywhere, give the lines between the newlines, blank ones left out and the last one kept."""
    buffer = LineBuffer()
    lines = [line for piece in pieces(data, cuts) for line in buffer.feed(piece)] + buffer.rest()
    assert lines == [line for line in data.split(b"\n") if line.strip()]
    assert buffer.rest() == []


def test_split_utf8():
    """A character whose bytes come one by one arrives whole."""
    buffer = LineBuffer()
    lines = [line for byte in "größe 🙂\n".encode() for line in buffer.feed(bytes([byte]))]
    assert [line.decode() for line in lines] == ["größe 🙂"]


@pytest.mark.parametrize("step", [1, 30, 1000])
def test_limit(step):
    """A line that never ends is refused as soon as it exceeds the limit, not kept for ever."""
    buffer = LineBuffer(limit=100)
    for _ in range(100 // step):
        buffer.feed(b"x" * step)
    with pytest.raises(CliFailed) as caught:
        buffer.feed(b"x" * step)
    assert caught.value.code == "cli_protocol"


def test_limit_is_for_one_line():
    """Many short lines are no long line."""
    buffer = LineBuffer(limit=100)
    assert sum(len(buffer.feed(b"x" * 90 + b"\nyy")) for _ in range(50)) == 50


def test_giant_line():
    """Twenty megabytes in small reads are put together in a time that grows with their size, not its square."""
    buffer = LineBuffer()
    for _ in range(320):
        assert buffer.feed(b"x" * 2**16) == []
    assert [len(line) for line in buffer.feed(b"\n")] == [320 * 2**16]
