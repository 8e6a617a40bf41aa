"""What goes over a connection to the stand-in."""

from __future__ import annotations

import json
import time

import pytest

from app.standin import Failure, Reply, Text, Thinking, ToolUse, plan_headers


def test_stream_is_framed_as_the_api_does_it(post, body):
    """Every event has its event: line, a data: line of one JSON object, and a blank line; in the API's order."""
    response = post(body)
    text = response.read().decode()
    assert response.status == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.headers["request-id"].startswith("req_")
    names = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        event, data = block.split("\n")
        assert event == f"event: {json.loads(data.removeprefix('data: '))['type']}"
        names.append(event.removeprefix("event: "))
    delta = "content_block_delta"
    assert names == [
        "message_start",
        "ping",
        "content_block_start",
        delta,
        delta,
        delta,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_without_stream_one_message_comes(post, body, standin):
    """A request without `stream` gets the whole message as JSON, with the plan's headers."""
    standin.reply = lambda _: Reply((Text("fine"),), headers=plan_headers(), input_tokens=7)
    del body["stream"]
    response = post(body)
    message = json.loads(response.read())
    assert response.headers["content-type"] == "application/json"
    assert response.headers["anthropic-ratelimit-unified-status"] == "allowed_warning"
    assert message["content"] == [{"type": "text", "text": "fine"}]
    assert (message["stop_reason"], message["usage"]["input_tokens"]) == ("end_turn", 7)


def test_requests_are_recorded(post, connect, body, standin):
    """Every request is recorded with lower-case header names; only accepted messages count as messages."""
    before = time.monotonic()
    post(body).read()
    connection = connect()
    connection.request("HEAD", "/")
    connection.getresponse().read()
    first, second = standin.requests
    assert (first.method, first.path, first.body) == ("POST", "/v1/messages?beta=true", body)
    assert first.size == len(json.dumps(body))
    assert first.headers["authorization"] == "Bearer dummy"
    assert before <= first.at <= second.at <= time.monotonic()
    assert (second.method, second.path, second.body, second.size) == ("HEAD", "/", None, 0)
    assert standin.messages == [body]
    assert standin.rejected == []


def test_head_has_no_body(connect):
    """After a HEAD request the connection is ready for the next answer."""
    connection = connect()
    for _ in range(2):
        connection.request("HEAD", "/")
        response = connection.getresponse()
        assert (response.status, response.read()) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("GET", "/"), ("DELETE", "/v1/messages"), ("POST", "/v1/complete"), ("CONNECT", "/")],
)
def test_anything_else_is_not_found(connect, standin, method, path):
    """An unknown path or method gets 404 in the API's envelope, on a connection that stays usable."""
    connection = connect()
    for _ in range(2):
        connection.request(method, path, "{}" if method == "POST" else None)
        response = connection.getresponse()
        assert response.status == 404
        error = json.loads(response.read())
        assert error["type"] == "error"
        assert error["error"]["type"] == "not_found_error"
    assert len(standin.requests) == 2
    assert standin.rejected == []


def test_refused_bodies_are_listed(post, body, standin):
    """A body that the API would refuse gets the API's answer, is listed, and does not reach the reply."""
    body["messages"] = []
    response = post(body)
    message = "messages: at least one message is required"
    assert response.status == 400
    assert json.loads(response.read())["error"] == {"type": "invalid_request_error", "message": message}
    assert standin.rejected == [(400, message)]
    assert standin.messages == []


@pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff", b'{"model": "\\ud800"}', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(post, standin, raw):
    """A body that is no JSON object in valid Unicode gets 400, with and without validation."""
    for standin.validate in (True, False):
        response = post(raw)
        assert response.status == 400
        assert "not valid JSON" in json.loads(response.read())["error"]["message"]
    assert len(standin.rejected) == 2


def test_an_oversized_body_is_refused(post, standin):
    """More than 32 MB get 413, and the connection is not broken before the answer."""
    response = post(b" " * (32 * 1024 * 1024 + 1))
    assert response.status == 413
    assert json.loads(response.read())["error"]["type"] == "request_too_large"
    assert standin.requests[0].body is None


def test_credentials_are_required(post, body, standin):
    """Without a bearer token or an API key the answer is 401; either one will do."""
    assert post(body, headers={}).status == 401
    assert post(body, headers={"authorization": "Basic x"}).status == 401
    assert post(body, headers={"authorization": "Bearer "}).status == 401
    assert [status for status, _ in standin.rejected] == [401] * 3
    assert post(body, headers={"x-api-key": "k"}).status == 200


def test_validation_can_be_switched_off(post, standin):
    """With `validate` off, any object is answered."""
    standin.validate = False
    response = post({"max_tokens": 2, "stream": False}, headers={})
    assert json.loads(response.read())["stop_reason"] == "max_tokens"


def test_chunked_requests_are_read(connect, body, standin):
    """A request body in chunks is read like any other, and the connection can be used again."""
    connection = connect()
    data = json.dumps(body).encode()
    for _ in range(2):
        headers = {"authorization": "Bearer x"}
        connection.request("POST", "/v1/messages", iter([data[:9], data[9:]]), headers, encode_chunked=True)
        connection.getresponse().read()
    assert standin.messages == [body, body]
    assert standin.requests[0].size == len(data)


def test_a_reply_that_raises_is_seen(post, body, standin):
    """A mistake in a test's own reply gives 500 and shows in `rejected`."""
    standin.reply = lambda request: request["nothing"]
    assert post(body).status == 500
    assert standin.rejected == [(500, "the stand-in's reply raised KeyError('nothing')")]


def test_deltas_leave_at_once(post, body, standin):
    """A delta can be read while the next one is not even due."""
    standin.reply = lambda _: Reply((Text(["first ", "second"], pause=60),))
    response = post(body)
    while b"first" not in response.readline():
        pass


def test_pauses_are_kept(post, body, standin):
    """The time between deltas is the block's pause."""
    standin.reply = lambda _: Reply((Text(["a", "b", "c"], pause=0.1),))
    start = time.monotonic()
    post(body).read()
    assert time.monotonic() - start >= 0.2


def test_delay_comes_before_the_headers(post, body, standin):
    """A reply's or failure's delay holds the status line back."""
    for answer in (Reply((Text("x"),), delay=0.15), Failure(500, "api_error", "x", delay=0.15)):
        standin.reply = lambda _, answer=answer: answer
        start = time.monotonic()
        post(body).read()
        assert time.monotonic() - start >= 0.15


def test_thinking_and_tool_calls_are_streamed(post, body, standin, events):
    """Thinking ends with its signature; a call's pieces join to its input; the turn stops for the tool."""
    call = ToolUse("weather", {"city": "Rome"}, id="toolu_1", parts=3)
    standin.reply = lambda _: Reply((Thinking(["hm"], "sig"), call))
    seen = events(post(body))
    deltas = [event["delta"] for event in seen if event["type"] == "content_block_delta"]
    assert deltas[:2] == [{"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "sig"}]
    assert json.loads("".join(delta["partial_json"] for delta in deltas[2:])) == {"city": "Rome"}
    assert seen[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}


def test_count(post, body, standin):
    """The tokens of a request are counted without an answer, and without the bound that an answer has."""
    del body["max_tokens"], body["stream"]
    response = post(body, path="/v1/messages/count_tokens?beta=true")
    assert response.status == 200
    assert json.loads(response.read())["input_tokens"] > 0
    assert standin.messages == []
    refused = post({**body, "messages": []}, path="/v1/messages/count_tokens")
    assert refused.status == 400
    assert len(standin.rejected) == 1
