"""Connections that ask slowly, wrongly or never: none of them keeps another from its answer. All without a key."""

from __future__ import annotations

import contextlib
import json
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from conftest import FAKE_CLAUDE
from server import Server, read_to_end, read_until, until

from app import address

KEY = "k" * 16
HALF_A_HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-A: "
# A TLS 1.2 client hello, cut off: a record of 512 bytes is announced.
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)
# How long any request may take while others hold connections, in seconds; a busy machine needs some.
SOON = 5.0


@pytest.fixture(scope="module")
def quiet_server(session_serve: Callable[..., Server]) -> Iterator[Server]:
    """A server with an API key, which nobody here has."""
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_KEEP="0", CLAUDE_PROXY_API_KEYS=f"one:{KEY}")
    yield server
    server.kill()


@pytest.fixture
def connect(quiet_server: Server) -> Iterator[Callable[..., socket.socket]]:
    """Give a function that opens a connection and sends what it is given; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def opened(data: bytes = b"") -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", quiet_server.port), timeout=30)
            stack.enter_context(connection)
            if data:
                connection.sendall(data)
            return connection

        yield opened


def told(data: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and error of an answer, which must be whole and in OpenAI's shape."""
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body)
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return int(status.split()[1]), headers, error


def test_more_half_heads_than_connections(quiet_server: Server, connect: Callable[..., socket.socket]) -> None:
    """Of 4,200 connections with half a head the oldest make room: whoever asks is answered, and soon."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 6000:
        pytest.skip("this system does not give a process so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 6000), hard))
    for _ in range(4200):
        connect(HALF_A_HEAD)
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        assert quiet_server.request("GET", "/health", timeout=SOON)[0] == 200
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < SOON
    key = {"Authorization": f"Bearer {KEY}"}
    body = {"model": "sonnet", "messages": [{"role": "user", "content": "hello"}]}
    assert quiet_server.request("POST", "/v1/chat/completions", body, key)[0] == 200
    assert quiet_server.request("GET", "/ready", headers=key)[0] == 200


def test_heads_that_do_not_end(connect: Callable[..., socket.socket]) -> None:
    """A head has ten seconds in all, whatever there is of it, and the client is told."""
    began = time.monotonic()
    for connection in [connect(sent) for sent in (HALF_A_HEAD, b"G", b"\r\n")]:
        status, headers, error = told(read_to_end(connection))
        assert 9 < time.monotonic() - began < 20
        assert (status, error["code"], headers["x-should-retry"]) == (408, "request_timeout", "false")


def test_a_byte_a_second(connect: Callable[..., socket.socket]) -> None:
    """Bytes that trickle in give no more time."""
    connection = connect(HALF_A_HEAD)
    began = time.monotonic()
    data = b""
    connection.settimeout(1)
    while b"\r\n\r\n" not in data:
        assert time.monotonic() - began < 20
        with contextlib.suppress(TimeoutError):
            data += connection.recv(65536)
        with contextlib.suppress(OSError):
            connection.send(b"a")
    assert data.startswith(b"HTTP/1.1 408 ")


def test_hello_of_tls(connect: Callable[..., socket.socket]) -> None:
    """A client that speaks TLS is told at once that this port does not, though its hello has not ended."""
    began = time.monotonic()
    status, _, error = told(read_to_end(connect(HELLO)))
    assert time.monotonic() - began < SOON
    assert status == 400
    assert "http://" in error["message"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "malformed_request"),
        (b"GET /health HTTP/1.1\nHost: localhost\n\n", 400, "malformed_request"),
        (b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n", 400, "malformed_request"),
        (b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (9000 * b"a"), 414, "uri_too_long"),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: %b\r\n\r\n" % (9000 * b"a"), 431, "headers_too_large"),
        (b"GET /health HTTP/1.1\r\n%b\r\n" % (2000 * b"X-A: b\r\n"), 431, "headers_too_large"),
        (b"GET /health HTTP/1.1\r\nX-A: %b" % (2**20 * b"a"), 431, "headers_too_large"),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\r\n", 417, "expectation_failed"),
        (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: br\r\n\r\n",
            501,
            "unsupported_transfer_coding",
        ),
        (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
            "malformed_request",
        ),
        (
            b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "malformed_request",
        ),
    ],
)
def test_what_is_no_request(connect: Callable[..., socket.socket], sent: bytes, status: int, code: str) -> None:
    """What gunicorn refuses before the application sees it is refused in JSON, and the connection closed."""
    connection = connect()
    # The server may have had enough before all of it is sent.
    with contextlib.suppress(OSError):
        connection.sendall(sent)
    got, _, error = told(read_to_end(connection))
    assert (got, error["code"], error["type"]) == (status, code, "invalid_request_error")
    assert error["message"]


def test_bodies_that_do_not_come(serve: Callable[..., Server]) -> None:
    """Without keys, requests whose bodies never come make room as well, and say why."""
    server = serve(GUNICORN_CMD_ARGS="--worker-connections 27", CLAUDE_BIN=str(FAKE_CLAUDE))
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    with contextlib.ExitStack() as stack:
        held = []
        for _ in range(30):
            held.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30)))
            held[-1].sendall(head)
        assert server.request("GET", "/health", timeout=SOON)[0] == 200
        assert server.chat("hello")[0] == 200
        # Usually the first; on a busy machine another's head may not have been read when room was made.
        with selectors.DefaultSelector() as selector:
            for connection in held:
                selector.register(connection, selectors.EVENT_READ)
            ended = until(lambda: selector.select(0), 30, "room")
            answers = [answer for key, _ in ended if (answer := read_to_end(cast("socket.socket", key.fileobj)))]
    assert answers
    for answer in answers:
        status, _, error = told(answer)
        assert (status, error["code"]) == (503, "connections_taken")


def test_silent_connections_make_room_first(serve: Callable[..., Server]) -> None:
    """Where connections run short, one that never asked goes before one that is asking; streams stay."""
    server = serve(
        GUNICORN_CMD_ARGS="--worker-connections 28", CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_MAX_CONCURRENCY="16"
    )
    with contextlib.ExitStack() as stack:

        def opened(data: bytes = b"") -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            stack.enter_context(connection).sendall(data)
            return connection

        for _ in range(15):  # one after another: until its body is in, a request is one of those that have not asked
            read_until(stack.enter_context(server.open_stream("hang")), b"Hello ")
        asking = opened(HALF_A_HEAD)
        silent = [opened() for _ in range(12)]
        with selectors.DefaultSelector() as selector:
            for connection in silent:
                selector.register(connection, selectors.EVENT_READ)

            def closed() -> set[Any]:
                return {key.fileobj for key, _ in selector.select(0)}

            until(lambda: len(closed()) >= 6, what="room")
            assert silent[0] in closed()
            assert silent[-1] not in closed()
        asking.sendall(b"b\r\n\r\n")
        assert read_to_end(asking).startswith(b"HTTP/1.1 4")
        assert server.slots()[0] == 15


def test_one_address_makes_room_for_itself(serve: Callable[..., Server]) -> None:
    """Who holds too many connections loses its own oldest ones, not another address's, though those are older."""
    server = serve(GUNICORN_CMD_ARGS="--worker-connections 28", CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0")
    with contextlib.ExitStack() as stack:

        def opened(source: str) -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=30, source_address=(source, 0))
            stack.enter_context(connection).sendall(HALF_A_HEAD)
            return connection

        own = [opened("127.0.0.1") for _ in range(3)]
        try:
            others = [opened("127.0.0.2") for _ in range(25)]
        except OSError:
            pytest.skip("this system has one loopback address")
        with selectors.DefaultSelector() as selector:
            for connection in (*own, *others):
                selector.register(connection, selectors.EVENT_READ)

            def closed() -> set[Any]:
                return {key.fileobj for key, _ in selector.select(0)}

            until(lambda: len(closed()) >= 10, what="room")
            assert not closed() & set(own)
            assert others[0] in closed()
            assert others[-1] not in closed()


def test_probes_while_all_connections_answer(serve: Callable[..., Server]) -> None:
    """With every connection taken by a stream, /health and /ready are answered, and others told to come again."""
    server = serve(
        GUNICORN_CMD_ARGS="--worker-connections 11", CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_MAX_CONCURRENCY="8"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            read_until(stack.enter_context(server.open_stream("hang")), b"Hello ")
        for path in ("/health", "/ready"):
            assert server.request("GET", path)[0] == 200
        status, headers, body = server.request("GET", "/v1/models")
        assert (status, json.loads(body)["error"]["code"]) == (503, "connections_taken")
        assert headers["retry-after"] == "5"
        assert headers["x-should-retry"] == "true"


def test_streams_past_idle_connections(serve: Callable[..., Server]) -> None:
    """Two thousand idle connections and a hundred streams of one address live side by side, and another is answered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 6000:
        pytest.skip("this system does not give a process so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 6000), hard))
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_MAX_CONCURRENCY="101")
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for number in range(100):
            stream = stack.enter_context(server.open_stream("hang"))
            if number % 10 == 9:
                until(lambda number=number: server.slots() == (number + 1, 0), 60, "streams")
            read_until(stream, b"Hello ")
            selector.register(stream, selectors.EVENT_READ, "stream")
        for _ in range(2000):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            selector.register(idle, selectors.EVENT_READ, "idle")
        for path in ("/health", "/ready"):
            assert server.request("GET", path, timeout=SOON)[0] == 200
        assert server.chat("hello")[0] == 200
        closed = [key.data for key, _ in selector.select(0) if key.fileobj.recv(65536) == b""]  # type: ignore[union-attr]
        assert closed == []
        assert server.slots() == (100, 0)


def test_both_addresses_of_localhost(fake_server: Server) -> None:
    """The server answers on 127.0.0.1 and on ::1, under the names that clients give it there."""
    if "::1" not in address.listened("localhost"):
        pytest.skip("no IPv6 here")
    for where in address.LOOPBACK:
        for name in (address.written(where, fake_server.port), f"localhost:{fake_server.port}"):
            with socket.create_connection((where, fake_server.port), timeout=30) as connection:
                body = b'{"model":"sonnet","messages":[{"role":"user","content":"hello"}]}'
                head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
                assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")
