"""The API takes longer than the status line is held back: what the client gets meanwhile, and what comes of it."""

from __future__ import annotations

import json
import time
from typing import Any

import anthropic
import openai
import pytest
from server import Server, events, read_until

from app.standin import Failure, Reply, StandIn, Text
from app.web import sse

LATE = sse.GRACE_SECONDS + 1
HELLO: list[Any] = [{"role": "user", "content": "Hi"}]
# The first line of a stream, by route, where the API has begun its answer within the grace, and where it has not.
FIRST = {
    "/v1/chat/completions": ('data: {"id":', 'data: {"id":'),
    "/v1/completions": ('data: {"id":', 'data: {"id":'),
    "/v1/responses": ("event: response.created", "event: response.created"),
    "/v1/messages": ("event: message_start", "event: ping"),
}


def body(path: str) -> dict[str, Any]:
    """Return a request for a stream."""
    question = {"/v1/completions": {"prompt": "Hi"}, "/v1/responses": {"input": "Hi"}}.get(path, {"messages": HELLO})
    return {"model": "sonnet", "stream": True, "max_tokens": 9, **question}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("path", FIRST)
def test_first_line(server: Server, standin: StandIn, path: str, *, late: bool) -> None:
    """The first line is the data, or the name, of an event that the real API sends; then comes the whole answer."""
    standin.reply = lambda _: Reply((Text("Late."),), delay=LATE if late else 0)
    status, _, data = server.request("POST", path, body(path))
    assert status == 200
    assert data.decode().startswith(FIRST[path][late])
    assert "Late." in data.decode()


def test_role_first(server: Server, standin: StandIn) -> None:
    """A late answer's role comes first and once, and its words in chunks of the same id and model."""
    standin.reply = lambda _: Reply((Text("Late."),), delay=LATE)
    found = events(server.request("POST", "/v1/chat/completions", body("/v1/chat/completions"))[2])[:-1]
    deltas = [chunk["choices"][0]["delta"] for chunk in found]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "Late."}, {}]
    assert len({(chunk["id"], chunk["model"]) for chunk in found}) == 1


def test_sign_of_life(server: Server, standin: StandIn) -> None:
    """The headers and the role do not wait for the API once the grace has passed."""
    standin.reply = lambda _: Reply((Text("Late."),), delay=LATE + 3)
    began = time.monotonic()
    with server.open_stream("Hi") as connection:
        assert b" 200 " in read_until(connection, b'"role":"assistant"').split(b"\r\n")[0]
        assert time.monotonic() - began < LATE + 2


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_failure(server: Server, standin: StandIn, path: str) -> None:
    """A failure within the grace has its own status; nothing has been sent before it."""
    standin.reply = lambda _: Failure.unauthorized()
    assert server.request("POST", path, body(path))[0] == 401


def test_clients(server: Server, standin: StandIn) -> None:
    """The SDKs take late answers for what they are."""
    standin.reply = lambda _: Reply((Text("Late."),), delay=LATE)
    with (
        anthropic.Anthropic(base_url=server.url, api_key="x") as client,
        client.messages.stream(model="sonnet", max_tokens=9, messages=HELLO) as stream,
    ):
        assert stream.get_final_text() == "Late."
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="x") as client:
        chunks = list(client.chat.completions.create(model="sonnet", messages=HELLO, stream=True))
    assert json.loads(chunks[0].to_json())["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Late."
