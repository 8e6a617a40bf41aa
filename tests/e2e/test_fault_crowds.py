"""Many at once: clients that leave together, bodies that are no requests, a client that does not read."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import FAKE_CLAUDE
from faults import assert_whole
from server import Server, events, read_to_end, read_until, text_of, until

MB = 2**20


@pytest.fixture(scope="module")
def session_wide(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(
        CLAUDE_BIN=str(FAKE_CLAUDE),
        CLAUDE_PROXY_KEEP="0",
        CLAUDE_PROXY_MAX_CONCURRENCY="10",
        CLAUDE_PROXY_QUEUE_LIMIT="90",
    )
    yield server
    server.kill()


def test_a_hundred_leave_at_once(session_wide: Server) -> None:
    """When ten clients that are answered and ninety that wait leave in one moment, every slot and process is free."""
    server = session_wide
    server.wait_for_spare()
    with contextlib.ExitStack() as connections:
        leavers = [connections.enter_context(server.open_stream("hang")) for _ in range(100)]
        until(lambda: server.slots() == (10, 90), 30, "a hundred requests")
        for connection in leavers:
            connection.close()
        began = time.monotonic()
        until(lambda: server.slots() == (0, 0), 10, "free slots")
        until(server.is_whole, 15, "a whole server")
        assert time.monotonic() - began < 15
    assert "Traceback" not in server.log
    assert_whole(server)


BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"model": "sonnet"}',
    b'{"model": "sonnet", "messages": []}',
    b'{"model": "sonnet", "messages": "Hi"}',
    b'{"model": 7, "messages": [{"role": "user", "content": "Hi"}]}',
    b'{"model": "sonnet", "messages": [{"role": "clown", "content": "Hi"}]}',
    b'{"model": "sonnet", "messages": [{"role": "user", "content": {"a": 1}}]}',
    b'{"model": "sonnet", "messages": [{"role": "tool", "content": "x"}]}',
    b'{"model": "sonnet", "stream": "perhaps", "messages": [{"role": "user", "content": "Hi"}]}',
    b'{"model": "sonnet", "max_tokens": -1, "messages": [{"role": "user", "content": "Hi"}]}',
    b"[" * 100_000,
    b'{"model": "sonnet", "messages": [{"role": "user", "content": "' + b"x" * 300_000,
]


def test_a_thousand_bad_bodies(session_wide: Server) -> None:
    """Each of a thousand bodies that are no requests is a 4xx that says so; nothing is taken for them, nothing kept."""
    server = session_wide
    until(server.is_whole, what="a whole server")

    def send(number: int) -> int:
        status, _, data = server.request("POST", "/v1/chat/completions", BODIES[number % len(BODIES)])
        assert set(json.loads(data)["error"]) == {"message", "type", "param", "code"}
        return status

    worker = server.worker()
    with ThreadPoolExecutor(8) as threads:
        assert {*threads.map(send, range(200))} <= set(range(400, 500))
        children, descriptors, memory = server.children(), worker.num_fds(), worker.memory_info().rss
        assert {*threads.map(send, range(200, 1200))} <= set(range(400, 500))
    assert worker.memory_info().rss - memory < 10 * MB
    until(lambda: worker.num_fds() <= descriptors, what="no more descriptors")
    assert server.children() == children
    assert "Traceback" not in server.log
    assert_whole(server)


def test_reader_that_sleeps(session_wide: Server) -> None:
    """Who does not read five megabytes of answer makes the CLI wait, not the worker grow; then all of it arrives."""
    server = session_wide
    server.wait_for_spare()
    worker = server.worker()
    memory = worker.memory_info().rss
    most = 0
    with server.open_stream("flood") as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        head = read_until(connection, b"Hello ")
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            most = max(most, worker.memory_info().rss)
            time.sleep(0.05)
        assert server.slots() == (1, 0), "the answer has gone somewhere"
        assert server.get("/health")[0] == 200
        chunks = events(unchunked(head + read_to_end(connection)))
        most = max(most, worker.memory_info().rss)
    assert most - memory < 60 * MB
    assert text_of(chunks) == "Hello " + "".join(f"{number:<1024}" for number in range(5 * 2**10)) + "world."
    assert chunks[-1] == "[DONE]"
    assert_whole(server)


def unchunked(answer: bytes) -> bytes:
    """Return the body of an answer in chunks."""
    _, _, rest = answer.partition(b"\r\n\r\n")
    parts = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        parts.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return b"".join(parts)
