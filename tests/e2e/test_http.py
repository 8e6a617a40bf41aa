"""What HTTP/1.1 allows a client to do, on raw sockets; each request has a connection of its own."""

from __future__ import annotations

import json
import socket

import pytest
from server import Server, read_to_end, read_until, until

QUESTION = json.dumps({"model": "sonnet", "messages": [{"role": "user", "content": "hello"}]}).encode()
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = POST + b"Content-Length: %d\r\n\r\n%b" % (len(QUESTION), QUESTION)
CHUNKS = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n" % (9, QUESTION[:9], len(QUESTION) - 9, QUESTION[9:])


def send(server: Server, data: bytes) -> bytes:
    """Return all that the server says to some bytes until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(data)
        return read_to_end(connection)


@pytest.mark.parametrize(
    "request_",
    [
        WHOLE,
        b"\r\n" + WHOLE,
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS.replace(b"\r\n", b";a=b\r\n", 1) + b"\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + CHUNKS + b"X-Sum: 1\r\n\r\n",
        POST + b"Connection: keep-alive\r\nContent-Length: %d\r\n\r\n%b" % (len(QUESTION), QUESTION),
        WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["length", "line end before", "chunks", "chunk extension", "trailer", "keep-alive", "HTTP/1.0"],
)
def test_ways_to_send(fake_server: Server, request_: bytes) -> None:
    """A request is answered in whichever of HTTP's ways it comes, and the answer says that the connection ends."""
    data = send(fake_server, request_)
    assert data.split(None, 2)[1] == b"200"
    assert b"\r\nConnection: close\r\n" in data
    assert b"Hello world." in data


def test_expect_continue(fake_server: Server) -> None:
    """A client that asks first whether to send its body, as curl does with a long one, is told to."""
    with socket.create_connection(("127.0.0.1", fake_server.port), timeout=30) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(QUESTION))
        assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(QUESTION)
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")


def test_pipelined(fake_server: Server) -> None:
    """Of two requests at once the first is answered, and the end of the connection tells that the second is not."""
    data = send(fake_server, WHOLE + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert data.count(b"HTTP/1.1 ") == 1
    assert b"Hello world." in data
    assert b"\r\nConnection: close\r\n" in data


def test_head_with_a_body(fake_server: Server) -> None:
    """A HEAD has no body in its answer, whatever it brings."""
    data = send(fake_server, b"HEAD /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
    assert data.startswith(b"HTTP/1.1 200 ")
    assert data.endswith(b"\r\n\r\n")


def test_as_many_headers_as_browsers_send(fake_server: Server) -> None:
    """Ninety headers are no attack."""
    lines = b"".join(b"X-%d: a\r\n" % number for number in range(90))
    assert send(fake_server, b"GET /health HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % lines).startswith(b"HTTP/1.1 200 ")


def test_half_closed_while_answering(fake_server: Server, *, stream: bool) -> None:
    """A client that closes its sending side counts as gone: nothing else tells that nobody reads the answer.

    It is told so, in case it does read.
    """
    with fake_server.open_stream("hang", stream=stream) as connection:
        if stream:
            read_until(connection, b"Hello ")
        until(lambda: fake_server.slots() == (1, 0), what="turn")
        connection.shutdown(socket.SHUT_WR)
        assert b"client_gone" in read_to_end(connection)
    until(lambda: fake_server.slots() == (0, 0), what="free slot")


def test_half_closed_without_a_turn(fake_server: Server) -> None:
    """What is answered at once is answered to such a client as well."""
    with socket.create_connection(("127.0.0.1", fake_server.port), timeout=30) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")
