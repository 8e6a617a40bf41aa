"""A client that leaves ends its turn at once, whatever it was waiting for; a queue that is full says so."""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from conftest import FAKE_CLAUDE
from server import Server, living, read_to_end, read_until, until

from app.standin import Reply, StandIn, Text

# A turn is to be over about a second after its client has left; a busy machine may take longer.
SOON = 4.0


def log_line(server: Server, since: int, path: str = "/v1/chat/completions") -> str:
    """Return the line that tells of a client that left, once it is in the log from character `since` on."""
    pattern = re.compile(rf"^.*{path}.*cancelled=client_gone.*$", re.MULTILINE)
    return until(lambda: pattern.search(server.log, since), 5, "log line")[0]


def leave(connection: socket.socket, server: Server, group: set[int]) -> float:
    """Close the connection; return the seconds until every process of the group was gone."""
    began = time.monotonic()
    connection.close()
    until(lambda: not living(group), 5, "end of the process group")
    took = time.monotonic() - began
    until(server.is_whole, what="a whole server")
    return took


def test_leaving_the_real_cli(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A client that leaves in the middle of an answer ends the real CLI's process and its request to the API."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),), silent_after=2)
    since = len(server.log)
    left = standin.disconnects
    (spare,) = (process.pid for process in server.children())
    with server.open_stream("Hi", stream=stream) as connection:
        if stream:
            read_until(connection, b"two ")
        until(lambda: standin.active == 1, what="turn")
        assert leave(connection, server, {spare}) < SOON
    until(lambda: standin.disconnects == left + 1, what="end of the API's request")
    line = log_line(server, since)
    assert ("stream end" in line) is stream


def test_leaving_before_the_first_event(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A client that leaves while the API still thinks ends the turn as well."""
    standin.reply = lambda _: Reply((Text("late"),), delay=30)
    since = len(server.log)
    (spare,) = (process.pid for process in server.children())
    with server.open_stream("Hi", stream=stream) as connection:
        until(lambda: standin.active == 1, what="turn")
        assert leave(connection, server, {spare}) < SOON
    log_line(server, since)


def test_leaving_a_stubborn_cli(fake_server: Server, *, stream: bool) -> None:
    """A CLI that ignores the end of its input and SIGTERM is killed, with the child in its process group."""
    since = len(fake_server.log)
    (spare,) = (process.pid for process in fake_server.children())
    with fake_server.open_stream("stubborn", stream=stream) as connection:
        if stream:
            read_until(connection, b"Hello ")
        until(lambda: len(fake_server.group(spare)) == 2, what="a child in the group")
        group = {process.pid for process in fake_server.group(spare)}
        assert leave(connection, fake_server, group) < SOON
    log_line(fake_server, since)


def test_a_hung_process_is_nobody_elses(serve: Callable[..., Server]) -> None:
    """A process whose client left, and that does not end its turn, is not what the next request has to wait for."""
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0")
    with server.open_stream("hang") as connection:
        read_until(connection, b"Hello ")
    log_line(server, 0)
    began = time.monotonic()
    status, headers, _ = server.chat("hello")
    assert (status, headers["x-proxy-served"]) == (200, "cold")
    assert time.monotonic() - began < SOON


def test_openai_client_that_closes_its_stream(server: Server, standin: StandIn) -> None:
    """The official client's close() and its time-out are disconnects like any other."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),), silent_after=1)
    messages = [{"role": "user", "content": "Hi"}]
    (first,) = (process.pid for process in server.children())
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client:
        answer = client.chat.completions.create(model="sonnet", messages=messages, stream=True)
        next(answer)
        answer.close()
        until(lambda: not living({first}), SOON, "end of the stream's process")
        server.wait_for_spare()
        (second,) = (process.pid for process in server.children())
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(model="sonnet", messages=messages, timeout=1)
        until(lambda: not living({second}), SOON, "end of the second process")
    until(server.is_whole, what="a whole server")


def test_half_a_request(fake_server: Server) -> None:
    """A client that leaves before its request is complete takes no slot and no process."""
    (spare,) = (process.pid for process in fake_server.children())
    with socket.create_connection(("127.0.0.1", fake_server.port)) as connection:
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b'{"model":')
    until(lambda: fake_server.slots() == (0, 0), what="free slots")
    assert [process.pid for process in fake_server.children()] == [spare]


@pytest.mark.parametrize("what", ["stalled body", "unread answer"])
def test_client_that_holds_still(serve: Callable[..., Server], what: str) -> None:
    """A client that stops sending its body, or does not read a whole answer, is let go of after the idle time-out.

    Until then it counts among its key's requests.
    """
    key = "k" * 16
    server = serve(
        CLAUDE_BIN=str(FAKE_CLAUDE),
        CLAUDE_PROXY_IDLE_TIMEOUT="1.5",
        CLAUDE_PROXY_API_KEYS=f"one:{key}",
        CLAUDE_PROXY_KEY_CONCURRENCY="1",
    )

    def status() -> int:
        headers = {"Authorization": f"Bearer {key}"}
        body = {"model": "sonnet", "messages": [{"role": "user", "content": "hello"}]}
        return server.request("POST", "/v1/chat/completions", body, headers)[0]

    body = (
        b'{"model":' if what == "stalled body" else b'{"model":"sonnet","messages":[{"role":"user","content":"flood"}]}'
    )
    length = 1000 if what == "stalled body" else len(body)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nx-api-key: {key}\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(head.encode() + body)
        until(lambda: status() == 429, 5, "the request")
        until(lambda: status() == 200, 10, "the end of it")
        if what == "stalled body":
            assert read_to_end(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n"])
def test_chunks_that_are_none(fake_server: Server, chunks: bytes) -> None:
    """A body in malformed chunks is the client's mistake, and told to it as such."""
    with socket.create_connection(("127.0.0.1", fake_server.port), timeout=10) as connection:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + chunks)
        assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")


@pytest.fixture(scope="module")
def session_narrow(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_MAX_CONCURRENCY="1", CLAUDE_PROXY_QUEUE_LIMIT="3")
    yield server
    server.kill()


@pytest.fixture
def narrow(session_narrow: Server) -> Server:
    """A server with one slot and three places in the queue."""
    until(session_narrow.is_whole, what="a whole server")
    return session_narrow


@contextlib.contextmanager
def occupied(server: Server) -> Iterator[socket.socket]:
    """Hold the one slot with a turn that never ends."""
    with server.open_stream("hang") as connection:
        read_until(connection, b"Hello ")
        assert server.slots() == (1, 0)
        yield connection


def test_leaving_the_queue(narrow: Server, *, stream: bool) -> None:
    """A client that leaves while it waits gives up its place within about a second, and no process was used for it."""
    since = len(narrow.log)
    with occupied(narrow) as first:
        narrow.wait_for_spare()
        before = {process.pid for process in narrow.children()}
        with narrow.open_stream("hello", stream=stream) as second:
            until(lambda: narrow.slots() == (1, 1), what="a place in the queue")
            began = time.monotonic()
            second.close()
            until(lambda: narrow.slots() == (1, 0), 5, "an empty queue")
            assert time.monotonic() - began < SOON
        log_line(narrow, since)
        assert {process.pid for process in narrow.children()} == before
        first.close()
    until(narrow.is_whole, what="a whole server")
    assert narrow.chat("hello")[0] == 200


def test_queue_is_first_in_first_out(narrow: Server, *, stream: bool) -> None:
    """Requests that wait are served in the order in which they came; who leaves holds up nobody."""
    order: list[str] = []

    def ask(name: str) -> Any:
        answer = narrow.chat("hello", stream=stream)
        order.append(name)
        return answer

    with concurrent.futures.ThreadPoolExecutor(2) as threads, occupied(narrow) as holder:
        one = threads.submit(ask, "one")
        until(lambda: narrow.slots() == (1, 1), what="the first in the queue")
        with narrow.open_stream("hello", stream=stream) as leaver:
            until(lambda: narrow.slots() == (1, 2), what="the second in the queue")
            two = threads.submit(ask, "two")
            until(lambda: narrow.slots() == (1, 3), what="the third in the queue")
            leaver.close()
        until(lambda: narrow.slots() == (1, 2), what="the second's departure")
        holder.close()
        assert one.result(20)[0] == two.result(20)[0] == 200
    assert order == ["one", "two"]


def test_queue_is_full(narrow: Server, *, stream: bool) -> None:
    """One request more than slots and places is a 429 at once, which says when to try again, and that this helps."""
    with occupied(narrow), contextlib.ExitStack() as waiting:
        for number in range(3):
            waiting.enter_context(narrow.open_stream("hello"))
            until(lambda expected=number + 1: narrow.slots() == (1, expected), what="a place in the queue")
        began = time.monotonic()
        status, headers, body = narrow.chat("hello", stream=stream)
        assert time.monotonic() - began < 4
        assert status == 429
        assert (body["error"]["type"], body["error"]["code"]) == ("rate_limit_error", "concurrency_limit")
        assert "usage limit" not in body["error"]["message"]
        assert 1 <= int(headers["retry-after"]) <= 30
        assert headers["x-should-retry"] == "true"
    until(narrow.is_whole, what="a whole server")


def test_stream_in_the_queue_shows_signs_of_life(serve: Callable[..., Server]) -> None:
    """A stream that waits for its turn gets its headers and its heartbeats, and then its answer."""
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_MAX_CONCURRENCY="1", CLAUDE_PROXY_HEARTBEAT="0.5")
    with occupied(server) as first, server.open_stream("hello") as second:
        head = read_until(second, b'"delta":{}')
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b'"role":"assistant"' in head
        first.close()
        assert b'"content":"world."' in read_until(second, b"[DONE]")
    until(server.is_whole, what="a whole server")
