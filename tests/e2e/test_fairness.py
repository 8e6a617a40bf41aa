"""No client of a server keeps another from its turn, with keys and without."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable

import pytest
from conftest import FAKE_CLAUDE
from server import Server, read_to_end, read_until, until

from app.standin import Reply, StandIn, Text

KEYS = {"one": "1" * 16, "two": "2" * 16}


def status_of(connection: socket.socket) -> int:
    """Return the status of an answer, all of which is read."""
    return int(read_to_end(connection).split(None, 2)[1])


def count_waiting(server: Server, key: str | None = None) -> int:
    """Return how many requests wait, asked with an API key where the server has some."""
    headers = {"x-api-key": key} if key else {}
    return int(json.loads(server.request("GET", "/ready", headers=headers)[2])["slots"]["waiting"])


@pytest.mark.parametrize("header", ["x-api-key", "Authorization: Bearer", "User-Agent"])
def test_first_request_of_another(serve: Callable[..., Server], header: str) -> None:
    """Of 60 requests of one client, all slots and the queue are full; the first of another gets the next slot.

    Without keys clients are told apart by the program and by the key they made up.
    """
    closed = header == "x-api-key"
    env = {"CLAUDE_PROXY_API_KEYS": ",".join(f"{name}:{key}" for name, key in KEYS.items())} if closed else {}
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_MAX_CONCURRENCY="2", CLAUDE_PROXY_QUEUE_LIMIT="8", **env)
    own, others = (f"{header}{'' if ' ' in header else ':'} {key}" for key in KEYS.values())

    def waiting() -> int:
        return count_waiting(server, KEYS["one"] if closed else None)

    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(server.open_stream("hang", own)) for _ in range(2)]
        for connection in running:
            read_until(connection, b"Hello ")
        refused = 0
        for number in range(58):
            connection = stack.enter_context(server.open_stream("hello", own, stream=False))
            if number < 8:
                until(lambda number=number: waiting() == number + 1, what="place in the queue")
            else:
                refused += status_of(connection) == 429
        assert refused == 50
        other = stack.enter_context(server.open_stream("hello", others))
        # It waits, for its place was another's.
        other.settimeout(0.5)
        with pytest.raises(TimeoutError):
            other.recv(1)
        assert waiting() == 8
        other.settimeout(30)
        running[0].close()
        assert status_of(other) == 200


def test_answers_count_as_turns(serve: Callable[..., Server], standin: StandIn) -> None:
    """A key that may have two turns gets n=2 once at a time, and n=8 never."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),), delay=2)
    key = {"x-api-key": KEYS["one"]}
    server = serve(CLAUDE_PROXY_API_KEYS=f"one:{KEYS['one']}", CLAUDE_PROXY_KEY_CONCURRENCY="2")

    def ask(n: int) -> tuple[int, dict[str, str], dict[str, dict[str, str]]]:
        body = {"model": "sonnet", "messages": [{"role": "user", "content": "Hi"}], "n": n}
        status, headers, answer = server.request("POST", "/v1/chat/completions", body, key)
        return status, headers, json.loads(answer)

    status, headers, answer = ask(8)
    assert (status, answer["error"]["code"], headers["x-should-retry"]) == (429, "key_concurrency_limit", "false")
    assert "8 turns" in answer["error"]["message"]
    with server.open_stream("Hi", f"x-api-key: {KEYS['one']}") as connection:
        until(lambda: standin.active == 1, what="turn")
        status, headers, answer = ask(2)
        assert (status, answer["error"]["code"], headers["x-should-retry"]) == (429, "key_concurrency_limit", "true")
        assert "1 turns running or waiting, and this request asks for 2;" in answer["error"]["message"]
        assert status_of(connection) == 200
    status, _, answer = ask(2)
    assert (status, len(answer["choices"])) == (200, 2)
    assert ask(2)[0] == 200


def test_waiting_for_a_session(serve: Callable[..., Server]) -> None:
    """Who waits for a session's turn before counts among the key's turns, and the refusal says so."""
    server = serve(
        CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_API_KEYS=f"one:{KEYS['one']}", CLAUDE_PROXY_KEY_CONCURRENCY="2"
    )
    headers = (f"x-api-key: {KEYS['one']}", "X-Session-Id: s")
    with server.open_stream("hang", *headers) as first:
        read_until(first, b"Hello ")
        with server.open_stream("hello", *headers):
            until(lambda: count_waiting(server, KEYS["one"]) == 1, what="wait")
            with server.open_stream("hello", f"x-api-key: {KEYS['one']}") as third:
                data = read_to_end(third)
    assert data.startswith(b"HTTP/1.1 429 ")
    assert b"The API key one has 2 turns running or waiting; its limit is 2." in data


def test_queue_for_a_session(serve: Callable[..., Server]) -> None:
    """Requests that wait for one session fill the queue, and not more; who is refused is told what is true."""
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_MAX_CONCURRENCY="2", CLAUDE_PROXY_QUEUE_LIMIT="1")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(server.open_stream("hang", "X-Session-Id: s"))
        read_until(first, b"Hello ")
        for number in range(2):
            stack.enter_context(server.open_stream("hello", "X-Session-Id: s"))
            until(lambda number=number: server.slots() == (1, number + 1), what="wait")
        data = read_to_end(stack.enter_context(server.open_stream("hello", "X-Session-Id: s")))
        assert data.startswith(b"HTTP/1.1 429 ")
        assert b"2 requests wait already, for others of their session to end" in data
        # Nobody else is kept out by them: there is a slot.
        assert server.chat("hello")[0] == 200


def test_several_answers_wait_or_none(serve: Callable[..., Server]) -> None:
    """A request with more answers than there is room for takes no place from another; what never fits is told so."""
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_MAX_CONCURRENCY="1", CLAUDE_PROXY_QUEUE_LIMIT="2")

    def ask(n: int) -> tuple[int, str | None, str]:
        body = {"model": "sonnet", "messages": [{"role": "user", "content": "hello"}], "n": n}
        status, headers, data = server.request("POST", "/v1/chat/completions", body, {"User-Agent": "other"})
        return status, headers.get("x-should-retry"), data.decode()

    with server.open_stream("hang", "User-Agent: one") as first:
        read_until(first, b"Hello ")
        with contextlib.ExitStack() as stack:
            queued = [stack.enter_context(server.open_stream("hello", "User-Agent: one")) for _ in range(2)]
            until(lambda: server.slots() == (1, 2), what="wait")
            status, again, data = ask(2)
            assert (status, again) == (429, "true")
            assert "1 of 1 turns and 2 of 2 places in the queue are taken, and this request asks for 2;" in data
            assert server.slots() == (1, 2)
            first.close()
            assert [status_of(connection) for connection in queued] == [200, 200]
    status, again, data = ask(4)
    assert (status, again) == (429, "false")
    assert "asks for 4 turns at a time; this server has 1, and 2 places in the queue." in data
