"""The stand-in's life: starting, many clients, closing."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.parse
import warnings

import pytest

from app.standin import Reply, StandIn, Text, demo_reply
from app.standin.journal import Journal


def test_close_ends_everything_and_can_be_repeated(post, body, eventually, standin):
    """close() ends streams that would go on for ever, within its bound, and counts none of them as a disconnect."""
    standin.reply = lambda _: Reply((Text(["a", "b"]),), silent_after=1)
    response = post(body)
    assert eventually(lambda: standin.active == 1)
    start = time.monotonic()
    standin.close()
    standin.close()
    assert time.monotonic() - start < 2.5
    assert eventually(lambda: standin.active == 0)
    assert standin.disconnects == 0
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    address = urllib.parse.urlsplit(standin.url)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=1)


def test_close_leaves_no_thread():
    """A closed stand-in has no thread left, and no socket that Python would have to complain about."""
    before = set(threading.enumerate())
    with warnings.catch_warnings(action="error"):
        for _ in range(5):
            with StandIn() as server:
                address = urllib.parse.urlsplit(server.url)
                socket.create_connection((address.hostname, address.port), timeout=1).close()
    end = time.monotonic() + 2
    while (left := set(threading.enumerate()) - before) and time.monotonic() < end:
        time.sleep(0.01)
    assert left == set()


def test_start_and_url():
    """The address is known after start(), which may be repeated; before, asking for it is an error."""
    server = StandIn()
    with pytest.raises(RuntimeError):
        _ = server.url
    try:
        server.start()
        url = server.url
        server.start()
        assert server.url == url
        assert url.startswith("http://127.0.0.1:")
    finally:
        server.close()


def test_record_off_keeps_nothing(post, body, standin, events):
    """A stand-in that does not record answers, and forgets all but what it refused."""
    standin.journal = Journal(keep=False)
    assert events(post(body))[-1] == {"type": "message_stop"}
    post({})
    assert (standin.requests, standin.messages, standin.rejected) == ([], [], [(400, "model: Field required")])


def test_a_taken_port_is_an_error(standin):
    """A port that is in use is not shared."""
    with pytest.raises(OSError, match="in use"):
        StandIn(port=urllib.parse.urlsplit(standin.url).port).start()


def test_two_hundred_streams_at_once(post, body, standin, events):
    """Two hundred clients are served side by side, not one after another."""
    together = threading.Barrier(200)

    def reply(_):
        together.wait(timeout=10)
        return Reply((Text(["x"] * 5, pause=0.02),))

    standin.reply = reply
    failures = []

    def client():
        try:
            assert events(post(body))[-1] == {"type": "message_stop"}
        except Exception as error:  # noqa: BLE001 - a thread's failure has to reach the test
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert len(standin.messages) == 200


def test_the_demo_is_the_default(post, body, standin):
    """A stand-in that is told nothing answers with the demonstration."""
    assert StandIn().reply is demo_reply
    standin.reply = demo_reply
    assert b"demo" in post(body).read()
