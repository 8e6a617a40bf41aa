"""What the server keeps on disk: each turn once, within bounds, and nothing of what was deleted."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import FAKE_CLAUDE
from server import CONFIG, GUNICORN, Server

KILOBYTE = 1024
TURN = 100 * KILOBYTE


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    """A server over the fake CLI."""
    return serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("sessions.db*") if path.is_file()]


def size(folder: Path) -> int:
    """Return how many bytes the sessions take on the disk."""
    return sum(path.stat().st_size for path in files(folder))


def holds(folder: Path, word: str) -> bool:
    """Tell whether a word stands in any of the files, the journal included."""
    return any(word.encode() in path.read_bytes() for path in files(folder))


def create(server: Server, text: str, before: str | None = None) -> str:
    """Ask with the Responses API; return the id of the response, which is kept."""
    body = {"model": "sonnet", "input": text, "previous_response_id": before}
    status, _, data = server.request("POST", "/v1/responses", body)
    assert status == 200, data
    return str(json.loads(data)["id"])


def test_a_chain_of_responses(server: Server) -> None:
    """A chain takes the place of what is new in it, and nothing of it is left once it is deleted."""
    words = [secrets.token_hex(8) for _ in range(40)]
    ids: list[str] = []
    for word in words:
        ids.append(create(server, f"hello {word} " + secrets.token_hex(TURN // 2), ids[-1] if ids else None))
    sent = 40 * TURN
    assert size(server.state) < 2.5 * sent
    # Any of them can still be gone on from.
    assert create(server, "hello again", ids[20])
    for number, (name, word) in enumerate(zip(reversed(ids), reversed(words), strict=True)):
        assert holds(server.state, word)
        assert server.request("DELETE", f"/v1/responses/{name}")[0] == 200
        # The first half is in the one that went on from the middle.
        assert holds(server.state, word) == (number >= 19), number
    assert size(server.state) < 0.75 * sent


def test_a_deleted_response(server: Server) -> None:
    """The last response's end leaves an empty file."""
    word = secrets.token_hex(8)
    name = create(server, f"hello {word} " + "x" * 20 * TURN)
    assert size(server.state) > 20 * TURN
    assert server.request("DELETE", f"/v1/responses/{name}")[0] == 200
    assert not holds(server.state, word)
    assert size(server.state) < TURN


def test_a_deleted_session(server: Server) -> None:
    """A session is gone from the disk, too, the moment it is deleted."""
    word = secrets.token_hex(8)
    for text in (f"hello {word} " + "x" * 5 * TURN, "hello once more"):
        assert server.chat(text, session_id="s")[0] == 200
    assert holds(server.state, word)
    assert server.request("DELETE", "/v1/sessions/s")[0] == 200
    assert not holds(server.state, word)
    assert size(server.state) < TURN


def test_room(serve: Callable[..., Server]) -> None:
    """A key that keeps too much loses its own oldest responses; all keys together, those used longest ago."""
    keys = ",".join(f"{name}:{name * 16}" for name in "abc")
    argv = (*GUNICORN, *CONFIG, "tests.small_store_wsgi:app")
    server = serve(argv, CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0", CLAUDE_PROXY_API_KEYS=keys)

    def send(key: str, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        status, _, data = server.request(method, path, body, {"x-api-key": key * 16})
        return status, data

    def create(key: str) -> str:
        status, data = send(
            key, "POST", "/v1/responses", {"model": "sonnet", "input": f"hello {secrets.token_hex(TURN // 2)}"}
        )
        assert status == 200, data
        return str(json.loads(data)["id"])

    def left(key: str, names: list[str]) -> list[int]:
        return [send(key, "GET", f"/v1/responses/{name}")[0] for name in names]

    first = [create("a")]
    second = [create("b") for _ in range(7)]
    assert left("b", second) == [404, 404, 404, 200, 200, 200, 200]
    assert left("a", first) == [200]
    third = [create("c") for _ in range(4)]
    assert left("c", third) == [200] * 4
    assert left("b", second[3:]).count(404) >= 1
    assert size(server.state) < 14 * TURN
