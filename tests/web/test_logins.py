"""A key that is for one login, at hosts of that login, of another, and of one that nobody knows."""

from __future__ import annotations

import pytest

from app.backend import Readiness
from app.keys.file import KeyFile
from app.keys.terms import Terms

MINE, OTHER = "0123456789abcdef", "fedcba9876543210"
CHAT = {"model": "sonnet", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5}


@pytest.fixture
def ask(tmp_path, fronted):
    """Give a function that asks with a key that is for MINE."""
    (tmp_path / "state").mkdir(mode=0o700)
    secret = KeyFile(tmp_path / "state").add("ann", Terms(login=MINE))
    client = fronted.test_client()
    return lambda path="/v1/chat/completions": client.post(path, json=CHAT, headers={"x-api-key": secret})


def test_its_own(ask, backend):
    """The login that it is for answers."""
    backend.tell(login=MINE)
    assert ask().status_code == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/api/chat"])
def test_another(ask, backend, path):
    """Another login's host refuses, before it asks anything, in each API's words, and names both."""
    backend.tell(login=OTHER)
    response = ask(path)
    assert (response.status_code, backend.asked) == (421, [])
    error = response.json["error"]
    assert ("login_elsewhere" in str(error)) == (path != "/api/chat")  # Ollama's errors have no code
    assert MINE in str(error)
    assert OTHER in str(error)
    assert response.headers["x-should-retry"] == "false"


def test_unknown(ask, backend, monkeypatch):
    """A host that does not know its login asks for it; where it has none it says so, and answers nobody."""
    response = ask()
    assert (response.status_code, response.json["error"]["code"]) == (421, "login_elsewhere")
    assert "does not know its own" in response.json["error"]["message"]

    def found() -> Readiness:
        backend.tell(login=MINE)
        return backend.readiness_told

    monkeypatch.setattr(backend, "readiness", found)
    assert ask().status_code == 200
