"""The CLI's lines become typed objects; what is new is skipped, what is broken raises."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.cli.protocol import Assistant, ControlResponse, RateLimitEvent, Result, StreamEvent, System, decode
from app.errors import CliFailed
from claude import cli_lines as cli

UNKNOWN = {
    "a new type": b'{"type":"horoscope","text":"rain"}',
    "a new type, named last": b'{"text":"rain","more":{"type":3},"type":"horoscope"}',
    "the CLI's own user line": b'{"type":"user","message":{"role":"user","content":"Resume"},"isSynthetic":true}',
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
        (cli.result(), Result, {"is_error": False, "num_turns": 1, "api_error_status": None}),
        (cli.failed("no", api_error_status=529), Result, {"is_error": True, "api_error_status": 529}),
        (cli.api_retry(attempt=2), System, {"subtype": "api_retry", "attempt": 2, "error_status": 529}),
        (cli.own_words("no", "rate_limit"), Assistant, {"error": "rate_limit"}),
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
    assert [m.resolved_model for m in line.response.response.models] == ["claude-sonnet-5-5"]


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
