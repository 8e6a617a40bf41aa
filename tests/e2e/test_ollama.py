"""Ollama's API on the wire: its lines, its refusals, its port, and the rules of the house."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import ollama
import pytest
from server import Server, free_port, until

from app.standin import Failure, Reply, StandIn, Text

CHAT, GENERATE = "/api/chat", "/api/generate"
HELLO = [{"role": "user", "content": "Hi"}]
KEY = "sk-laptop-0123456789abcdef"


def ask(server: Server, path: str = CHAT, **fields: Any) -> tuple[int, dict[str, str], list[dict[str, Any]]]:
    """Return status, headers and lines of an answer."""
    body = {"model": "claude-sonnet-4:latest", **fields}
    status, headers, data = server.request("POST", path, body)
    return status, headers, [json.loads(line) for line in data.splitlines()]


def test_lines(server: Server) -> None:
    """An answer is a stream of JSON lines where nothing else is said."""
    status, headers, lines = ask(server, messages=HELLO)
    assert (status, headers["content-type"]) == (200, "application/x-ndjson")
    assert all(line["model"] == "claude-sonnet-4:latest" and line["created_at"].endswith("Z") for line in lines)
    *said, last = [line for line in lines if line["done"] or line["message"]["content"]]
    assert "".join(line["message"]["content"] for line in said) == "One two three."
    assert (last["done_reason"], last["message"]["content"]) == ("stop", "")
    status, headers, (whole,) = ask(server, GENERATE, prompt="Hi", stream=False)
    assert (status, headers["content-type"], whole["response"]) == (200, "application/json", "One two three.")


def test_bounds(server: Server, standin: StandIn) -> None:
    """A bound ends the answer with Ollama's word for it; what has no effect is named."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),))
    options = {"num_predict": 2, "temperature": 0.1, "num_ctx": 4096}
    _, headers, lines = ask(server, messages=HELLO, options=options, keep_alive="5m", truncate=True)
    assert lines[-1]["done_reason"] == "length"
    assert headers["x-proxy-ignored"] == "keep_alive, options.temperature, options.num_ctx"


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        (CHAT, {"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
        (CHAT, {"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        (
            CHAT,
            {"messages": [{"role": "tool", "tool_name": "look", "content": "x"}]},
            "messages[0] answers no tool call",
        ),
        (CHAT, {"messages": [{**HELLO[0], "images": ["not base64!"]}]}, "messages[0].images[0]"),
        (CHAT, {"messages": HELLO, "format": "xml"}, "format"),
        (CHAT, {"messages": HELLO, "options": {"num_predict": 1.5}}, "options.num_predict"),
        (CHAT, {"messages": HELLO, "options": {"stop": 3}}, "options.stop"),
        (GENERATE, {"prompt": "def f(", "suffix": "return 1"}, "suffix"),
        (GENERATE, {"prompt": ["Hi"]}, "prompt"),
        (GENERATE, {"prompt": "Hi", "model": ":latest"}, "model"),
        ("/api/show", {"model": 3}, "model"),
    ],
)
def test_refused(server: Server, standin: StandIn, path: str, fields: dict[str, Any], words: str) -> None:
    """What is wrong is a 400 in Ollama's form that names the field."""
    status, _, (error,) = ask(server, path, **fields)
    assert (status, list(error)) == (400, ["error"])
    assert words in error["error"]
    assert standin.messages == []


def test_strangers_paths(server: Server) -> None:
    """Paths that Ollama has and this server has not, and others below them, are refused in its form."""
    for method, path, status in (
        ("POST", "/api/pull", 501),
        ("DELETE", "/api/delete", 501),
        ("HEAD", "/api/blobs/sha256:1", 501),
        ("GET", "/api/nothing", 404),
        ("GET", "/api/chat", 405),
        ("POST", "/v1/api/chat", 404),
    ):
        answer = server.request(method, path, None if method in {"GET", "HEAD"} else {})
        assert answer[0] == status, path
        if method != "HEAD" and path.startswith("/api"):
            assert isinstance(json.loads(answer[2])["error"], str)
    assert server.request("HEAD", "/")[0] == 200


def test_cut(server: Server, standin: StandIn) -> None:
    """A failure in the midst of a stream is a line with the error, the last one."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."], pause=0.15),), cut_after=2)
    _, _, lines = ask(server, messages=HELLO)
    assert list(lines[-1]) == ["error"]
    assert not any(line.get("done") for line in lines)


def test_load(server: Server, standin: StandIn) -> None:
    """A request that asks nothing is answered at once, and is no turn."""
    for path, fields, reason in (
        (CHAT, {"messages": []}, "load"),
        (GENERATE, {"prompt": ""}, "load"),
        (GENERATE, {"keep_alive": 0}, "unload"),
    ):
        status, headers, (line,) = ask(server, path, **fields)
        assert (status, line["done"], line["done_reason"]) == (200, True, reason)
        assert headers["content-type"] == "application/json"
    assert standin.messages == []


def test_leaving(server: Server, standin: StandIn) -> None:
    """A client that leaves ends its turn."""
    standin.reply = lambda _: Reply((Text(["One ", "two "]),), silent_after=1)
    connection = server.connect()
    connection.request("POST", CHAT, json.dumps({"model": "sonnet", "messages": HELLO}))
    answer = connection.getresponse()
    while b"One " not in answer.readline():
        pass
    answer.close()
    connection.close()
    until(lambda: server.slots() == (0, 0), 10, "the turn's end")


def test_port(serve: Callable[..., Server], standin: StandIn) -> None:
    """A second port serves the same under the same rules: keys as a bearer, no foreign page, no foreign name."""
    port = free_port()
    server = serve(CLAUDE_PROXY_OLLAMA_PORT=str(port), CLAUDE_PROXY_API_KEYS=f"laptop:{KEY}")

    def status(**headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/api/tags", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    assert status() == 401
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert status(**bearer) == 200
    assert status(**bearer, Host="evil.example") == 403
    assert status(**bearer, Origin="http://evil.example") == 403
    client = ollama.Client(host=f"http://127.0.0.1:{port}", headers=bearer)
    assert client.chat("sonnet", HELLO).message.content == "One two three."
    client.close()
    assert server.request("GET", "/api/version", headers=bearer)[0] == 200


def test_key_of_the_environment(
    serve: Callable[..., Server], standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `config ollama` prints is all that Ollama's client needs."""
    server = serve(CLAUDE_PROXY_API_KEYS=f"laptop:{KEY}")
    monkeypatch.setenv("OLLAMA_HOST", server.url)
    with pytest.raises(ollama.ResponseError) as raised:
        ollama.Client().chat("sonnet", HELLO)
    assert raised.value.status_code == 401
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    assert ollama.Client().chat("sonnet", HELLO).message.content == "One two three."
    standin.reply = lambda _: Failure.overloaded()
    with pytest.raises(ollama.ResponseError) as raised:
        ollama.Client().chat("sonnet", HELLO)
    assert raised.value.status_code == 503
