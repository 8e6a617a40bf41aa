"""What the CLI itself does wrong: the client gets an honest error, and the next request works."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hermetic
import pytest
from conftest import FAKE_CLAUDE
from server import Server, events, living, read_to_end, read_until, text_of, until

from app.standin import Reply, StandIn, Text


def said(body: Any, *, stream: bool) -> str:
    """Return the whole answer's text; it must have ended well."""
    if stream:
        assert body[-1] == "[DONE]"
        return text_of(body)
    assert body["choices"][0]["finish_reason"] == "stop"
    return body["choices"][0]["message"]["content"]


def assert_whole(server: Server) -> None:
    """No slot is taken, no process lives but the spare, and the next request is answered."""
    until(server.is_whole, what="a whole server")
    assert server.chat("hello")[0] == 200
    until(server.is_whole, what="a whole server")


def assert_failed(answer: tuple[int, Any, Any], status: int, code: str, *, begun: str | None) -> None:
    """The answer is an error; `begun` is the text that a stream had given before it, None for a stream not begun."""
    got, headers, body = answer
    if begun is None:
        assert got == status
        assert headers["x-should-retry"] == "false"
    else:
        assert got == 200
        assert "[DONE]" not in body
        assert text_of(body[:-1]) == begun
        assert all(chunk["choices"][0]["finish_reason"] is None for chunk in body[:-1])
        body = body[-1]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert (body["error"]["type"], body["error"]["code"]) == ("server_error", code)
    assert "fake" not in body["error"]["message"], "the CLI's error output is for the log"


def test_crash_before_the_answer(fake_server: Server, *, stream: bool) -> None:
    """A CLI that ends before its answer is a 502 in both modes; what it wrote on stderr is in the log alone."""
    assert_failed(fake_server.chat("crash-before", stream=stream), 502, "cli_exited", begun=None)
    until(lambda: "fake: out of luck" in fake_server.log, what="stderr in the log")
    assert_whole(fake_server)


def test_quiet_end_before_the_answer(fake_server: Server, *, stream: bool) -> None:
    """A CLI that leaves with status 0 and without an answer has failed all the same."""
    assert_failed(fake_server.chat("exit-zero", stream=stream), 502, "cli_exited", begun=None)
    assert_whole(fake_server)


@pytest.mark.parametrize(
    ("word", "code"), [("crash", "cli_exited"), ("garbage", "cli_protocol"), ("broken-line", "cli_protocol")]
)
def test_fault_in_the_answer(fake_server: Server, word: str, code: str, *, stream: bool) -> None:
    """A CLI that dies or babbles in its answer is a 502; a stream keeps its text and ends with the error."""
    assert_failed(fake_server.chat(word, stream=stream), 502, code, begun="Hello " if stream else None)
    assert_whole(fake_server)


def test_crash_of_the_real_cli(server: Server, standin: StandIn, *, stream: bool) -> None:
    """The real CLI, killed in the middle of its answer, gives the text so far and an error, and the next one works."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),), silent_after=2)
    (spare,) = (process.pid for process in server.children())
    with server.open_stream("Hi", stream=stream) as connection:
        until(lambda: standin.active == 1, what="turn")
        head = read_until(connection, b"two ") if stream else b""
        time.sleep(0.5)  # the server has the text so far: before it began, another process would have been asked
        os.kill(spare, signal.SIGKILL)
        data = head + read_to_end(connection)
    assert b'"code":"cli_exited"' in data
    if stream:
        chunks = events(data)
        assert text_of(chunks[:-1]) == "One two "
        assert "[DONE]" not in chunks
    else:
        assert data.startswith(b"HTTP/1.1 502 ")
    standin.reply = lambda _: Reply((Text("fine"),))
    assert server.chat("Hi")[0] == 200
    until(server.is_whole, what="a whole server")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("unknown", "Hello world."),
        ("split", "Hello größe 🙂 world."),
        ("noisy", "Hello world."),
        ("sub-agent", "Hello world."),
        ("unended", "Hello world."),
    ],
)
def test_oddity(fake_server: Server, word: str, text: str, *, stream: bool) -> None:
    """What is odd but harmless does no harm.

    Lines and events of unknown types, characters cut by the reads, a flood on stderr, a sub-agent's words, a last line
    without its newline.
    """
    status, _, body = fake_server.chat(word, stream=stream)
    assert status == 200
    assert said(body, stream=stream) == text
    until(fake_server.is_whole, what="a whole server")


def test_giant_line(fake_server: Server, *, stream: bool) -> None:
    """A line of 20 MiB arrives whole."""
    status, _, body = fake_server.chat("giant", stream=stream)
    assert status == 200
    assert said(body, stream=stream) == "Hello " + "x" * (20 * 2**20) + "world."
    until(fake_server.is_whole, what="a whole server")


def test_spare_killed_while_it_waits(fake_server: Server, *, stream: bool) -> None:
    """A spare that was killed costs the next client nothing but time."""
    (spare,) = fake_server.children()
    spare.kill()
    status, _, body = fake_server.chat("hello", stream=stream)
    assert status == 200
    assert said(body, stream=stream) == "Hello world."
    until(fake_server.is_whole, what="a whole server")


@pytest.fixture(scope="module")
def session_patient(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_IDLE_TIMEOUT="1.5")
    yield server
    server.kill()


@pytest.fixture
def patient(session_patient: Server) -> Server:
    """A server that waits one and a half seconds for its fake CLI."""
    session_patient.wait_for_spare()
    return session_patient


@pytest.mark.parametrize(("word", "begun"), [("hang-before", None), ("hang", "Hello "), ("stubborn", "Hello ")])
def test_hang(patient: Server, word: str, begun: str | None, *, stream: bool) -> None:
    """A CLI that falls silent is a 504 in time, and is ended even when it does not want to."""
    began = time.monotonic()
    assert_failed(patient.chat(word, stream=stream), 504, "timeout", begun=begun if stream else None)
    assert 1.5 <= time.monotonic() - began < 10
    assert_whole(patient)


def script(path: Path, version: str) -> None:
    """Put an executable there that is the fake in this version; at once, as an installer does."""
    new = path.with_suffix(".new")
    new.write_text(f'#!/bin/sh\nFAKE_VERSION={version} exec {FAKE_CLAUDE} "$@"\n')
    new.chmod(0o755)
    new.replace(path)


def test_missing_then_old_then_good(serve: Callable[..., Server], tmp_path: Path) -> None:
    """Without a CLI, and with one too old, each request says what is wrong; a good one is used without a restart."""
    path = tmp_path / "claude"
    server = serve(CLAUDE_BIN=str(path))
    for stream in (False, True):
        assert_failed(server.chat("hello", stream=stream), 502, "cli_missing", begun=None)
    status, ready = server.get("/ready")
    assert status == 503
    assert str(path) in ready["reason"]
    script(path, "2.1.119")
    for stream in (False, True):
        answer = server.chat("hello", stream=stream)
        assert_failed(answer, 502, "cli_version", begun=None)
        assert "2.1.119" in answer[2]["error"]["message"]
        assert "claude update" in answer[2]["error"]["message"]
    assert server.get("/ready")[0] == 503
    script(path, "2.1.120")
    status, _, body = server.chat("hello")
    assert status == 200
    assert said(body, stream=False) == "Hello world."
    assert server.get("/ready")[0] == 200
    server.wait_for_spare()
    before = {process.pid for process in server.children()}
    path.unlink()
    assert_failed(server.chat("hello"), 502, "cli_missing", begun=None)
    script(path, "2.1.330")
    assert server.chat("hello")[0] == 200
    until(lambda: not living(before), what="end of the old version's spare")
    assert server.slots() == (0, 0)


def test_missing_on_path(serve: Callable[..., Server], tmp_path: Path) -> None:
    """A CLI named in CLAUDE_BIN that cannot be executed is missing, and the sentence says where it was looked for."""
    path = tmp_path / "claude"
    path.write_text("#!/bin/sh\n")
    server = serve(CLAUDE_BIN=str(path))
    answer = server.chat("hello")
    assert_failed(answer, 502, "cli_missing", begun=None)
    assert str(path) in answer[2]["error"]["message"]


def test_spares_that_die_when_taken(serve: Callable[..., Server]) -> None:
    """A spare that dies when a request takes it is replaced under the request, which gets its answer."""
    names = f"{hermetic.PASSED},FAKE_DEAD_SPARE"
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_PASS_ENV=names, FAKE_DEAD_SPARE="1")
    for stream in (False, True):
        server.wait_for_spare()
        status, headers, body = server.chat("hello", stream=stream)
        assert status == 200
        assert headers["x-proxy-served"] == "cold"
        assert said(body, stream=stream) == "Hello world."
    until(server.is_whole, what="a whole server")
    assert "spare process failed" in server.log


def test_every_process_dies(serve: Callable[..., Server]) -> None:
    """A CLI that cannot even begin is a 502 after one more attempt: a request does not start processes without end."""
    names = f"{hermetic.PASSED},FAKE_DEAD"
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_PASS_ENV=names, FAKE_DEAD="1")
    for stream in (False, True):
        server.wait_for_spare()
        assert_failed(server.chat("hello", stream=stream), 502, "cli_exited", begun=None)
    until(server.is_whole, what="a whole server")
