"""What is counted: clients that left, and connections that were cut on purpose."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import socket
import urllib.parse

import pytest

from app.standin import Failure, Reply, Text


def test_half_a_request_is_none(standin):
    """A client that leaves before its body is complete is neither recorded nor refused."""
    address = urllib.parse.urlsplit(standin.url)
    for half in (b"content-length: 999\r\n\r\n{", b"transfer-encoding: chunked\r\n\r\nff\r\n{"):
        with socket.create_connection((address.hostname, address.port), timeout=5) as client:
            client.sendall(b"POST /v1/messages HTTP/1.1\r\nx-api-key: k\r\n" + half)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b""
    assert (standin.requests, standin.rejected, standin.disconnects) == ([], [], 0)


def test_cut_stream_ends_without_its_end(post, body, standin, eventually):
    """`cut_after` delivers that many deltas and then closes the connection in the middle; that is no disconnect."""
    standin.reply = lambda _: Reply((Text(["a", "b", "c"]),), cut_after=2)
    with pytest.raises(http.client.IncompleteRead) as caught:
        post(body).read()
    assert caught.value.partial.count(b"content_block_delta") == 2 * 2
    assert b"message_stop" not in caught.value.partial
    assert eventually(lambda: standin.active == 0)
    assert standin.disconnects == 0


def test_bill(post, body, standin, eventually):
    """Each answer's use is told once, as far as it was sent: of one that was cut, what its beginning said."""
    told = []
    standin.bill = lambda asked, usage: told.append(
        (asked["stream"], usage.get("input_tokens"), usage["output_tokens"])
    )
    answer = Reply((Text(["a", "b", "c"]),), input_tokens=7, output_tokens=9)
    for streams, cut_after in ((True, None), (False, None), (True, 2)):
        standin.reply = lambda _, cut_after=cut_after: dataclasses.replace(answer, cut_after=cut_after)
        with contextlib.suppress(http.client.IncompleteRead):
            post({**body, "stream": streams}).read()
        assert eventually(lambda: standin.active == 0)
    assert told == [(True, 7, 9), (False, 7, 9), (True, 7, 1)]


def test_silent_stream_ends_when_the_client_leaves(connect, body, standin, eventually):
    """`silent_after` writes that many deltas and no more; the client's leaving is noticed and counted at once."""
    standin.reply = lambda _: Reply((Text(["a", "b", "c"]),), silent_after=1)
    connection = connect()
    connection.request("POST", "/v1/messages", json.dumps(body), {"x-api-key": "k"})
    response = connection.getresponse()
    while b'"text":"a"' not in response.readline():
        pass
    assert standin.active == 1
    response.close()
    connection.close()
    assert eventually(lambda: standin.active == 0)
    assert standin.disconnects == 1


@pytest.mark.parametrize(
    "answer",
    [
        Reply((Text("x"),), delay=30),
        Failure(529, "overloaded_error", "x", delay=30),
        Reply((Text(["a", "b"], pause=30),)),
        Reply((Text("a" * 100_000 for _ in range(300)),)),
    ],
)
def test_a_client_that_leaves_ends_the_answer(standin, body, eventually, answer):
    """Whatever the answer is doing, waiting or writing, it ends quietly when its client is gone."""
    standin.reply = lambda _: answer
    address = urllib.parse.urlsplit(standin.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as client:
        data = json.dumps(body).encode()
        client.sendall(b"POST /v1/messages HTTP/1.1\r\nx-api-key: k\r\ncontent-length: %d\r\n\r\n" % len(data) + data)
        assert eventually(lambda: standin.active == 1)
    assert eventually(lambda: standin.active == 0)
    assert standin.disconnects == 1
    assert standin.rejected == []
