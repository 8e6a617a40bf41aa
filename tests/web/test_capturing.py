"""Which requests are captured, with what, and that no other is."""

from __future__ import annotations

import base64

import hermetic
import pytest

from app.captures.capture import read
from app.captures.captures import FOLDER, files
from app.config_reading import read_settings
from app.errors import CliFailed
from app.web.state import state

KEY = "key-of-sixteen-characters"
OF_SERVER, IN_ARGUMENT = "hush-of-a-server", "hush-in-an-argument"
CONFIG = f"""
[mcp.home]
command = "uvx"
args = ["--token", "{IN_ARGUMENT}"]
env = {{ PAT = "{OF_SERVER}" }}
"""
BEARER = {"Authorization": f"Bearer {KEY}"}
BODY = {"model": "sonnet", "messages": [{"role": "user", "content": f"my key is {KEY}"}]}


@pytest.fixture
def captured(tmp_path, backend, front):
    """Give a function that sends a request to an application that keeps two, and returns the response and captures."""
    given = hermetic.environment(tmp_path, CLAUDE_PROXY_RECORD="2", CLAUDE_PROXY_API_KEYS=f"laptop:{KEY}")
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    given["CLAUDE_PROXY_CONFIG"] = str(config)
    app = front(read_settings(given))
    client = app.test_client()

    def send(path="/v1/chat/completions", method="POST", error=None, **how):
        backend.error = error
        response = client.open(path, method=method, **{"headers": BEARER, **how})
        data = response.data
        response.close()
        state(app).captures.close()
        return response, data, [read(path) for path in files(tmp_path / "state" / FOLDER)]

    return send


def texts(parts, kind):
    return [part.text for part in parts if part.kind == kind]


@pytest.mark.parametrize("stream", [False, True])
def test_turn(captured, stream):
    """A turn is kept with its body, its answer as it was sent, and never its key."""
    response, data, [(head, parts)] = captured(json={**BODY, "stream": stream})
    assert response.headers["x-proxy-captured"] == "1"
    assert head.summary.id == response.headers["x-request-id"]
    assert (head.summary.status, head.summary.stop, head.summary.key) == (200, "end_turn", "laptop")
    assert "my key is [credential]" in "".join(texts(parts, "body"))
    assert "".join(texts(parts, "sent")) == data.decode()
    assert len(texts(parts, "sent")) == (3 if stream else 1) or stream
    assert ["authorization", f"<{len(BEARER['Authorization'])} characters>"] in [[*pair] for pair in head.headers]
    assert head.answered["content-type"] == response.headers["content-type"]


@pytest.mark.parametrize(
    "headers",
    [
        BEARER,
        {"x-api-key": KEY},
        {"api-key": KEY},
        {"Authorization": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()},
    ],
)
def test_credentials(captured, headers):
    """Whichever way a key is sent, it is nowhere in what is kept, not even where the conversation has it."""
    _, _, [(head, parts)] = captured(json=BODY, headers=headers)
    assert KEY not in repr((head, parts))
    assert headers.get("Authorization", KEY) not in repr(head)


def test_credentials_of_mcp_servers(captured):
    """What an MCP server is given is in no capture: Claude Code's answers have it."""
    message = {"role": "user", "content": f"it is {OF_SERVER}, {IN_ARGUMENT}"}
    _, _, [(_, parts)] = captured(json={**BODY, "messages": [message]})
    assert "it is [credential], [credential]" in "".join(texts(parts, "body"))


def test_failures(captured):
    """A refused body and a stream that breaks off are kept: those are what reports are for."""
    _, _, [(refused, parts)] = captured(json={"messages": 1})
    assert (refused.summary.status, refused.summary.turn) == (400, False)
    assert "error" in texts(parts, "sent")[0]
    _, _, [(broken, parts), _] = captured(json={**BODY, "stream": True}, error=CliFailed("gone", code="cli_exited"))
    assert (broken.summary.status, broken.summary.code) == (200, "cli_exited")
    assert "cli_exited" in texts(parts, "sent")[-1]


def test_counting(captured):
    """A count of tokens is kept, too."""
    _, _, [(head, _)] = captured("/v1/messages/count_tokens", json=BODY)
    assert head.summary.route == "/v1/messages/count_tokens"


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        ("/health", "GET", {}),
        ("/v1/models", "GET", BEARER),
        ("/v1/chat/completions", "POST", {}),
        ("/no", "POST", BEARER),
    ],
)
def test_others(captured, path, method, headers):
    """Nobody pushes captures out who asks for something else, or may not ask."""
    how = {"json": BODY} if method == "POST" else {}
    response, _, kept = captured(path, method, headers=headers, **how)
    assert "x-proxy-captured" not in response.headers
    assert kept == []


def test_it_is_said(make_app):
    """/ready and the page say that requests are kept, and how many."""
    client = make_app(CLAUDE_PROXY_RECORD="2").test_client()
    assert client.get("/ready").json["captures"] == 2
    assert b"The last 2 requests are kept" in client.get("/").data
