"""The demo: the whole way with the real CLI, without a login, for whom the keys let in; and it says what it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from server import Server, text_of, until

from app.keys.file import KeyFile


@pytest.fixture
def demo(serve: Callable[..., Server]) -> Server:
    return serve(CLAUDE_PROXY_DEMO="1", CLAUDE_CODE_OAUTH_TOKEN="", CLAUDE_PROXY_SPARES="1")


def test_it_says_so_everywhere(demo: Server) -> None:
    """Answers, headers, readiness and the page say that this is a demo that needs no login."""
    demo.wait_for_spare()
    status, headers, chunks = demo.chat("Hello there", stream=True)
    assert (status, headers["x-proxy-demo"]) == (200, "1")
    assert "demo: it needs no login" in text_of(chunks)
    status, ready = demo.get("/ready")
    assert (status, ready["demo"], ready["login"]) == (200, True, "not needed")
    page = demo.request("GET", "/")[2].decode()
    assert "<title>Demo · Ready" in page
    assert "no login is needed" in page


def test_unknown_model(demo: Server) -> None:
    """A model that nobody has is the API's 404, as without the demo."""
    demo.wait_for_spare()
    status, _, answer = demo.chat("Hello", model="claude-nonsense-9")
    assert (status, answer["error"]["code"]) == (404, "model_not_found")
    assert demo.chat("Hello", model="claude-sonnet-4")[0] == 200


def test_what_it_keeps(demo: Server) -> None:
    """What is said and used in a demo is kept apart from what is the user's."""
    demo.wait_for_spare()
    assert demo.chat("Hello", session_id="garden")[0] == 200
    until((demo.state / "demo" / "usage.db").exists, what="the demo's ledger")
    assert (demo.state / "demo" / "sessions.db").exists()
    assert list(demo.state.glob("*.db")) == []


def test_other_machines(serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a key of the file it listens to other machines, as a server does that is none."""
    state = tmp_path_factory.mktemp("state")
    key = KeyFile(state).add("laptop")
    server = serve(CLAUDE_PROXY_DEMO="1", CLAUDE_PROXY_STATE_DIR=str(state), HOST="0.0.0.0", CLAUDE_PROXY_SPARES="0")
    assert server.get("/ready")[0] == 401
    headers = {"Authorization": f"Bearer {key}"}
    assert server.request("GET", "/ready", headers=headers)[0] == 200


def test_no_demo(server: Server) -> None:
    """A server that is none does not say so."""
    assert "x-proxy-demo" not in server.request("GET", "/health")[1]
