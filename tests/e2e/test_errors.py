"""What the API and the CLI refuse reaches the client as OpenAI's errors: status, type, code and retry headers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from server import Server, events, read_to_end, text_of, until

from app.standin import Failure, Reply, StandIn, Text, plan_headers

WORDS = ["One ", "two ", "three."]
EXTRA_USAGE = "Third-party apps now draw from your extra usage, not your plan limits."


def refusal(server: Server, text: str = "Hi", *, stream: bool, **fields: Any) -> tuple[int, dict, dict]:
    """Ask a question that is refused; return status, headers and the error, whose shape is checked."""
    status, headers, body = server.chat(text, stream=stream, **fields)
    assert headers["content-type"] == "application/json"
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return status, headers, body["error"]


def broken(chunks: list[Any]) -> tuple[list[Any], dict]:
    """Return the chunks before the error that ends a stream, and the error: nothing may follow, no end mark either."""
    assert "[DONE]" not in chunks
    assert all("error" not in chunk for chunk in chunks[:-1])
    error = chunks[-1]["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return chunks[:-1], error


def test_plan_limit(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A used-up plan is a 429 that says "usage limit", when it resets, and that trying again is of no use."""
    reset = int(time.time()) + 7200
    standin.reply = lambda _: Failure.plan_limit(reset)
    status, headers, error = refusal(server, stream=stream)
    assert status == 429
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "usage limit" in error["message"].lower()
    assert "resets" in error["message"]
    assert 7150 <= int(headers["retry-after"]) <= 7200
    assert headers["x-should-retry"] == "false"
    assert len(standin.messages) == 1


def test_plan_limit_is_asked_once_by_the_openai_client(server: Server, standin: StandIn) -> None:
    """The official client, with its retries on, asks once and raises its RateLimitError."""
    standin.reply = lambda _: Failure.plan_limit(int(time.time()) + 7200)
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=2)
    with client, pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="sonnet", messages=[{"role": "user", "content": "Hi"}])
    assert raised.value.code == "rate_limit_exceeded"
    assert len(standin.messages) == 1


def test_other_limit_is_not_the_plans(server: Server, standin: StandIn) -> None:
    """A 429 without a plan's window is not told as a used-up plan: no reset is made up, the pause is short."""
    standin.reply = lambda _: Failure(429, "rate_limit_error", "Too many at once", {"x-should-retry": "false"})
    status, headers, error = refusal(server, stream=False)
    assert status == 429
    assert error["type"] == "rate_limit_error"
    assert "usage limit reached" not in error["message"]
    assert "resets at" not in error["message"]
    assert 1 <= int(headers["retry-after"]) <= 60


def test_logged_out(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A refused login is a 401, soon, that says what to run; readiness follows, down and up again."""
    assert server.chat("Hi")[0] == 200
    assert server.get("/ready")[0] == 200
    server.wait_for_spare()
    standin.reply = lambda _: Failure.unauthorized()
    began = time.monotonic()
    status, headers, error = refusal(server, stream=stream)
    assert time.monotonic() - began < 6  # less than one on a machine with nothing else to do
    assert status == 401
    assert (error["type"], error["code"]) == ("authentication_error", "claude_not_logged_in")
    assert "`claude-max-api login`" in error["message"]
    assert headers["x-should-retry"] == "false"
    status, ready = server.get("/ready")
    assert status == 503
    assert ready["status"] == "not_ready"
    assert "`claude-max-api login`" in ready["reason"]
    standin.reply = lambda _: Reply((Text(WORDS),))
    assert server.chat("Hi")[0] == 200
    assert server.get("/ready")[0] == 200


def test_no_login_at_all(serve: Callable[..., Server], standin: StandIn) -> None:
    """Without any login the server runs, is not ready, and answers 401 in both modes without asking the API."""
    server = serve(CLAUDE_CODE_OAUTH_TOKEN="")
    status, ready = server.get("/ready")
    assert status == 503
    assert ready["login"] == "absent"
    assert "`claude-max-api login`" in ready["reason"]
    for stream in (False, True):
        server.wait_for_spare()
        status, _, error = refusal(server, stream=stream)
        assert status == 401
        assert error["code"] == "claude_not_logged_in"
    assert standin.messages == []
    assert server.get("/health")[0] == 200


def test_forbidden(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A login that may not do this is a 403, not a 401: logging in again would not help, and the login stays good."""
    standin.reply = lambda _: Failure.forbidden()
    status, headers, error = refusal(server, stream=stream)
    assert status == 403
    assert error["type"] == "permission_error"
    assert "Request not allowed" in error["message"]
    assert headers["x-should-retry"] == "false"
    assert server.get("/ready")[0] == 200


def test_revoked_login(server: Server, standin: StandIn) -> None:
    """A revoked token comes as 403 from the API, and is a 401 all the same: logging in is the remedy."""
    standin.reply = lambda _: Failure.forbidden("OAuth token has been revoked. Please obtain a new token.")
    status, _, error = refusal(server, stream=False)
    assert status == 401
    assert error["code"] == "claude_not_logged_in"
    standin.reply = lambda _: Reply((Text(WORDS),))
    assert server.chat("Hi")[0] == 200


@pytest.mark.parametrize("failure", [Failure.overloaded(), Failure.server_error()], ids=["529", "500"])
def test_overloaded(server: Server, standin: StandIn, *, stream: bool, failure: Failure) -> None:
    """What the API cannot do now is a 503 with a pause; the CLI has tried again, the SDKs must not."""
    standin.reply = lambda _: failure
    status, headers, error = refusal(server, stream=stream)
    assert status == 503
    assert (error["type"], error["code"]) == ("overloaded_error", "overloaded")
    assert failure.message in error["message"]
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-should-retry"] == "false"
    assert len(standin.messages) == 2


def test_overloaded_once(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A failure that the CLI's own second attempt overcomes is not the client's business."""
    standin.reply = lambda _: Failure.overloaded() if len(standin.messages) == 1 else Reply((Text(WORDS),))
    status, _, body = server.chat("Hi", stream=stream)
    assert status == 200
    assert (text_of(body) if stream else body["choices"][0]["message"]["content"]) == "One two three."


def assert_too_long(status: int, error: dict) -> None:
    assert status == 400
    assert (error["type"], error["code"]) == ("invalid_request_error", "context_length_exceeded")
    assert "prompt is too long" in error["message"].lower()
    assert "maximum context length is 200000 tokens" in error["message"]


def test_prompt_too_long_says_the_api(server: Server, standin: StandIn, *, stream: bool) -> None:
    """An over-long prompt that the API refuses is a 400 in the words of both vendors."""
    standin.reply = lambda _: Failure.prompt_too_long(210_000, 200_000)
    status, headers, error = refusal(server, stream=stream)
    assert_too_long(status, error)
    assert headers["x-should-retry"] == "false"


def test_prompt_too_long_says_the_cli(server: Server, standin: StandIn, *, stream: bool) -> None:
    """An over-long prompt that the CLI itself refuses, 5 MB of text, is the same 400, and never reaches the API."""
    status, _, error = refusal(server, "word " * 1_000_000, stream=stream)
    assert_too_long(status, error)
    assert standin.messages == []


def test_unknown_model(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A Claude model that the API does not know is OpenAI's 404, which names the field and the model."""
    standin.reply = lambda _: Failure.not_found("model: claude-nope-1")
    status, headers, error = refusal(server, stream=stream, model="claude-nope-1")
    assert status == 404
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "model_not_found", "model")
    assert "claude-nope-1" in error["message"]
    assert headers["x-should-retry"] == "false"


def test_bad_request(server: Server, standin: StandIn, *, stream: bool) -> None:
    """What the API calls a bad request is a 400 with the API's words."""
    standin.reply = lambda _: Failure(400, "invalid_request_error", "messages.0: something odd")
    status, _, error = refusal(server, stream=stream)
    assert status == 400
    assert error["type"] == "invalid_request_error"
    assert "messages.0: something odd" in error["message"]


@pytest.mark.parametrize(
    "failure",
    [
        Failure(400, "invalid_request_error", EXTRA_USAGE),
        Failure(403, "permission_error", EXTRA_USAGE),
        Failure(429, "rate_limit_error", "Extra usage is required for long context requests."),
    ],
    ids=["400", "403", "429"],
)
def test_plan_does_not_cover_this(server: Server, standin: StandIn, *, stream: bool, failure: Failure) -> None:
    """A use that the plan does not include is a 402 with the text untouched: neither waiting nor logging in helps."""
    standin.reply = lambda _: failure
    status, headers, error = refusal(server, stream=stream)
    assert status == 402
    assert error["type"] == "billing_error"
    assert EXTRA_USAGE in error["message"] or "Usage credits required" in error["message"]
    assert "retry-after" not in headers
    assert headers["x-should-retry"] == "false"
    assert server.get("/ready")[0] == 200


def test_near_the_limit(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A warning that the plan's window is nearly used up comes with a healthy answer."""
    standin.reply = lambda _: Reply((Text(WORDS),), headers=plan_headers("allowed_warning", utilization=0.93))
    status, _, body = server.chat("Hi", stream=stream)
    assert status == 200
    assert (text_of(body) if stream else body["choices"][0]["message"]["content"]) == "One two three."


@pytest.mark.parametrize(("cuts", "pause"), [(1, 0.15), (99, 0.15), (1, 0.0)], ids=["once", "always", "at-once"])
def test_answer_cut_by_the_api(server: Server, standin: StandIn, *, stream: bool, cuts: int, pause: float) -> None:
    """An answer whose connection breaks is whole in the end or an honest error, and no text comes twice."""
    reply = Reply((Text(WORDS, pause=pause),))
    cut = Reply((Text(WORDS, pause=pause),), cut_after=2)
    standin.reply = lambda _: cut if len(standin.messages) <= cuts else reply
    status, _, body = server.chat("Hi", stream=stream)
    assert status == 200
    if not stream:
        assert len(standin.messages) > 1
        assert body["choices"][0]["message"]["content"] == "One two three."
    elif body[-1] == "[DONE]":
        assert text_of(body) == "One two three."
    else:
        chunks, error = broken(body)
        assert "One two three.".startswith(text_of(chunks))
        assert (error["type"], error["code"]) == ("server_error", "answer_cut")


def test_answer_cut_raises_in_the_openai_client(server: Server, standin: StandIn) -> None:
    """The official client gets the text so far, then an exception: nobody takes half an answer for a whole one."""
    standin.reply = lambda _: Reply((Text(WORDS, pause=0.15),), cut_after=2)
    seen = []
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client:
        messages = [{"role": "user", "content": "Hi"}]
        with (
            pytest.raises(openai.APIError),
            client.chat.completions.create(model="sonnet", messages=messages, stream=True) as answer,
        ):
            seen += [chunk.choices[0].delta.content or "" for chunk in answer]
    assert "".join(seen) in {"", "One ", "One two "}


@pytest.fixture(scope="module")
def session_impatient(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_PROXY_IDLE_TIMEOUT="4", CLAUDE_PROXY_HEARTBEAT="1")
    yield server
    server.kill()


@pytest.fixture
def impatient(session_impatient: Server, standin: StandIn) -> Server:
    """Serve with four seconds of patience for the CLI and a sign of life each second."""
    session_impatient.wait_for_spare()
    return session_impatient


def test_silent_api(impatient: Server, standin: StandIn) -> None:
    """An API that never answers is a 504 within the idle timeout, and the slot is free again."""
    standin.reply = lambda _: Reply((Text(WORDS),), delay=30)
    began = time.monotonic()
    status, headers, error = refusal(impatient, stream=False)
    assert 4 <= time.monotonic() - began < 15
    assert status == 504
    assert (error["type"], error["code"]) == ("server_error", "timeout")
    assert headers["x-should-retry"] == "false"
    until(impatient.is_whole, what="whole")


@pytest.mark.parametrize("silent_after", [None, 1], ids=["before", "midway"])
def test_silent_stream(impatient: Server, standin: StandIn, silent_after: int | None) -> None:
    """A stream in which nothing comes any more shows signs of life after its role chunk, then ends with an error."""
    standin.reply = lambda _: Reply((Text(WORDS),), delay=0 if silent_after else 30, silent_after=silent_after)
    status, _, chunks = impatient.chat("Hi", stream=True)
    assert status == 200
    chunks, error = broken(chunks)
    assert error["code"] == "timeout"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert text_of(chunks) == ("One " if silent_after else "")
    # With nothing said before, the role chunk itself is the first sign of life.
    assert deltas.count({}) >= (2 if silent_after else 0)
    assert all(delta == {} or delta.get("content") for delta in deltas[1:])
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)
    until(impatient.is_whole, what="whole")


def test_heartbeat_is_harmless(impatient: Server, standin: StandIn) -> None:
    """The openai client reads a stream with signs of life as if there were none."""
    standin.reply = lambda _: Reply((Text(WORDS[:2], pause=2.5),), delay=2.5)
    with openai.OpenAI(base_url=f"{impatient.url}/v1", api_key="x", max_retries=0) as client:
        messages = [{"role": "user", "content": "Hi"}]
        chunks = list(client.chat.completions.create(model="sonnet", messages=messages, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "One two "
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.role for chunk in chunks[1:]] == [None] * (len(chunks) - 1)
    assert any(chunk.choices[0].delta.content is None and not chunk.choices[0].finish_reason for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_error_of_a_stream_on_the_wire(impatient: Server, standin: StandIn) -> None:
    """The error that ends a stream is its last data line, in JSON, and the connection closes in good order after it."""
    standin.reply = lambda _: Reply((Text(WORDS),), silent_after=1)
    with impatient.open_stream("Hi") as connection:
        data = read_to_end(connection)
    assert data.endswith(b"\r\n0\r\n\r\n")
    last = data.split(b"data: ")[-1].split(b"\n")[0]
    assert json.loads(last)["error"]["code"] == "timeout"
    assert b"[DONE]" not in data
    assert events(data)[-1] == json.loads(last)
