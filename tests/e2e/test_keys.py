"""Keys in a running server: the official client's errors, other machines, and a log in JSON."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path

import openai
import psutil
import pytest
from conftest import FAKE_CLAUDE
from server import Server, until

from app.keys.file import KeyFile

SECRET = "laptop-" + "s" * 30
MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture
def closed(serve: Callable[..., Server]) -> Callable[..., Server]:
    """Give a function that starts a server over the fake CLI with one key."""

    def start(**env: str) -> Server:
        base = {"CLAUDE_BIN": str(FAKE_CLAUDE), "CLAUDE_PROXY_SPARES": "0"}
        return serve(**{**base, "CLAUDE_PROXY_API_KEYS": f"laptop:{SECRET}", **env})

    return start


def test_openai_client(closed: Callable[..., Server]) -> None:
    """The official client chats with the key, raises AuthenticationError without, and RateLimitError at its limit."""
    server = closed(CLAUDE_PROXY_KEY_RPM="2", CLAUDE_PROXY_KEY_CONCURRENCY="1")
    options = {"base_url": f"{server.url}/v1", "max_retries": 0}
    with openai.OpenAI(api_key="wrong", **options) as client, pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model="sonnet", messages=MESSAGES)
    assert refused.value.code == "invalid_api_key"
    with openai.OpenAI(api_key=SECRET, **options) as client:
        with client.chat.completions.create(model="sonnet", messages=MESSAGES, stream=True) as stream:
            next(iter(stream))
        # A stream left in its middle gives its place back.
        until(lambda: "stream end" in server.log, 5, "end of the stream")
        assert client.chat.completions.create(model="sonnet", messages=MESSAGES).choices[0].message.content
        with pytest.raises(openai.RateLimitError) as limited:
            client.chat.completions.create(model="sonnet", messages=MESSAGES)
        assert limited.value.code == "key_rate_limit"
    # Odd spellings of the path to the one open route are not it.
    for path in ("/health/../v1/models", "/v1/../health", "/health%2f..%2fready"):
        assert server.request("GET", path)[0] == 401
    assert SECRET not in server.log


def test_large_body_without_a_key(closed: Callable[..., Server]) -> None:
    """A stranger gets the 401 however much it is sending."""
    server = closed()
    status, headers, _ = server.request("POST", "/v1/chat/completions", b"x" * (8 * 2**20))
    assert (status, headers["www-authenticate"]) == (401, "Bearer")


def own_address() -> str | None:
    """Return an address of this machine that is not loopback, if it has one."""
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family == socket.AF_INET and not address.address.startswith("127."):
                return address.address
    return None


def test_beyond_loopback(closed: Callable[..., Server]) -> None:
    """With a key the server listens beyond loopback and answers there under its address, with the key only."""
    address = own_address()
    if address is None:
        pytest.skip("this machine has only loopback")
    server = closed(HOST="0.0.0.0")
    right = {"Authorization": f"Bearer {SECRET}"}

    def status(headers: dict[str, str]) -> int:
        # To an address of this machine: nothing leaves it.
        connection = http.client.HTTPConnection(address, server.port, timeout=10)
        try:
            connection.request("GET", "/v1/models", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    assert status(right) == 200
    assert status({}) == 401
    assert status({**right, "Host": "evil.example"}) == 403
    assert status({**right, "Origin": "https://evil.example"}) == 403
    assert server.request("GET", "/health")[0] == 200


@pytest.mark.parametrize("left", [None, 0])
def test_beyond_loopback_without_keys(serve: Callable[..., Server], tmp_path: Path, left: int | None) -> None:
    """Without a key, or with a file of none, it does not start, and one sentence says what to do."""
    if left == 0:
        file = KeyFile(tmp_path)
        file.add("a")
        file.revoke("a")
    server = serve(wait=False, HOST="0.0.0.0", CLAUDE_PROXY_STATE_DIR=str(tmp_path))
    assert server.process.wait(10) != 0
    (line,) = (line for line in server.log.splitlines() if "HOST=0.0.0.0" in line)
    assert "claude-max-api key add" in line
    assert "Traceback" not in server.log


def test_json_log(closed: Callable[..., Server]) -> None:
    """Where standard error is no terminal every line is an object, gunicorn's too; none has a key or a prompt."""
    server = closed(LOG_FORMAT="auto")
    body = {"model": "sonnet", "messages": [{"role": "user", "content": "answer HUSHHUSH"}], "stream": True}
    right = {"Authorization": f"Bearer {SECRET}"}
    _, headers, _ = server.request("POST", "/v1/chat/completions", body, right)
    server.request("GET", "/x%0a%7b%22level%22%3a1%7d", None, {"x-api-key": "WRONGWRONG"})
    until(lambda: "stream end" in server.log, 5, "end of the stream")
    server.stop()
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert all(list(line)[:4] == ["ts", "level", "logger", "message"] for line in lines)
    assert any(line["logger"] == "gunicorn" and "Listening at" in line["message"] for line in lines)
    ours = [line for line in lines if line["logger"] == "app.request"]
    first, last = (line for line in ours if line.get("id") == headers["x-request-id"])
    common = {"path": "/v1/chat/completions", "key": "laptop", "served": "cold", "model": "claude-fake-1"}
    assert {**common, "method": "POST", "status": 200}.items() <= first.items()
    assert common.items() <= last.items()
    assert isinstance(last["ms"], int)
    assert isinstance(last["output"], int)
    (wrong,) = (line for line in lines if line.get("error") == "invalid_api_key")
    assert wrong["status"] == 401
    for secret in (SECRET, "HUSH", "WRONG"):
        assert secret not in server.log
