"""A client that closes its connection is noticed at once; one that stays, or sends more, is not taken for gone."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from server import until

from app.web.disconnects import Disconnects

# One for all tests: like a server's, its thread and its sockets live as long as the process.
WATCHER = Disconnects()


@pytest.fixture
def disconnects():
    return WATCHER


@pytest.fixture
def connection():
    """Give both ends of a connection: the client's and the server's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def gone():
    return threading.Event()


@pytest.mark.parametrize("how", ["close", "shutdown"])
@pytest.mark.parametrize("key", ["gunicorn.socket", "werkzeug.socket"])
def test_leaving(disconnects, connection, gone, how, key):
    """A client that closes its end is noticed while nobody reads or writes."""
    client, server = connection
    with disconnects.watch({key: server}, gone.set, 5):
        assert not gone.wait(0.05)
        client.close() if how == "close" else client.shutdown(socket.SHUT_WR)
        assert gone.wait(5)


def test_already_gone(disconnects, connection, gone):
    """A client that left before the watch began is noticed too."""
    client, server = connection
    client.close()
    with disconnects.watch({"gunicorn.socket": server}, gone.set, 5):
        assert gone.wait(5)


def test_staying(disconnects, connection, gone):
    """A client that stays is not gone, nor after the watch ended."""
    client, server = connection
    with disconnects.watch({"gunicorn.socket": server}, gone.set, 5):
        assert not gone.wait(0.05)
    client.close()
    assert not gone.wait(0.05)


def test_data(disconnects, connection, gone):
    """A client that sends more is not gone, and what it sent is left for who reads it."""
    client, server = connection
    with disconnects.watch({"gunicorn.socket": server}, gone.set, 5):
        client.sendall(b"GET")
        assert not gone.wait(0.05)
    assert server.recv(3) == b"GET"


def test_line_ends(disconnects, connection, gone):
    """Line ends behind a body are ignored, as HTTP says: a client that leaves after them is noticed."""
    client, server = connection
    with disconnects.watch({"gunicorn.socket": server}, gone.set, 5):
        for _ in range(2):
            client.sendall(b"\r\n")
            assert not gone.wait(0.05)
        client.close()
        assert gone.wait(5)


def test_call_that_fails(disconnects, connection, gone):
    """A call that fails leaves the watch over the others alone."""
    client, server = connection
    other_client, other = socket.socketpair()
    with other_client, other, disconnects.watch({"gunicorn.socket": server}, gone.set, 5):
        with disconnects.watch({"gunicorn.socket": other}, lambda: 1 / 0, 5):
            other_client.close()
            assert not gone.wait(0.1)
        client.close()
        assert gone.wait(5)


def test_once(disconnects, connection):
    """The call comes once."""
    calls = []
    client, server = connection
    with disconnects.watch({"gunicorn.socket": server}, lambda: calls.append(1), 5):
        client.close()
        until(lambda: calls)
        time.sleep(0.05)
    assert calls == [1]


def test_patience(disconnects, connection, gone):
    """While watched, a write to a client that does not read fails after the patience; afterwards all is as before."""
    _, server = connection
    server.settimeout(7)
    with disconnects.watch({"gunicorn.socket": server}, gone.set, 0.05), pytest.raises(TimeoutError):
        server.sendall(b"x" * 10_000_000)
    assert server.gettimeout() == 7


@pytest.mark.parametrize("environ", [{}, {"gunicorn.socket": None}, {"gunicorn.socket": object()}])
def test_without_a_socket(disconnects, gone, environ):
    """A server that gives no socket is served without a watch."""
    with disconnects.watch(environ, gone.set, 5):
        pass
    assert not gone.is_set()


def test_closed_by_the_server(disconnects, connection, gone):
    """A connection that the server itself closes meanwhile does no harm, and its number can be used again."""
    for _ in range(3):
        ours, theirs = socket.socketpair()
        with ours, disconnects.watch({"gunicorn.socket": theirs}, gone.set, 5):
            theirs.close()
    client, server = connection
    with disconnects.watch({"gunicorn.socket": server}, gone.set, 5):
        gone.clear()
        client.close()
        assert gone.wait(5)


def test_many(disconnects):
    """Many are watched at once; each call is for its own connection."""
    left = []
    with contextlib.ExitStack() as stack:
        pairs = [tuple(map(stack.enter_context, socket.socketpair())) for _ in range(50)]
        for number, (_, server) in enumerate(pairs):
            watch = disconnects.watch({"gunicorn.socket": server}, lambda number=number: left.append(number), 5)
            stack.enter_context(watch)
        for number in range(0, 50, 7):
            pairs[number][0].close()
        until(lambda: len(left) == 8)
        time.sleep(0.05)
    assert sorted(left) == list(range(0, 50, 7))
