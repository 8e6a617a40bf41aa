"""A system that gives no more: no disk, no processes, no descriptors. Clear errors, and all is well when it does."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import confined
import pytest
from conftest import FAKE_CLAUDE
from faults import Told, assert_whole, told
from server import Server, until

FAKE = {"CLAUDE_BIN": str(FAKE_CLAUDE)}
HELLO = Told(200, None, "Hello world.")


@pytest.fixture
def on_own_disk(serve: Callable[..., Server], tmp_path: Path) -> Server:
    """A server with the fake CLI whose state folder is a disk of 512 kB."""
    state = tmp_path / "state"
    state.mkdir()
    command = confined.own_disk(state, 512)
    if command is None:
        pytest.skip("this system lets no one mount a disk of his own")
    server = serve(command, CLAUDE_PROXY_STATE_DIR=str(state), **FAKE)
    server.wait_for_spare()
    return server


def seen(server: Server) -> Path:
    """Return the state folder as the server sees it."""
    return Path(f"/proc/{server.process.pid}/root{server.state}")


def assert_sessions_fail(server: Server) -> None:
    """A session's request is a clear 503 in both modes, a plain chat is answered."""
    for stream in (False, True):
        assert told(server.chat("hello", stream=stream, session_id="one")) == Told(503, "session_storage_failed", "")
        assert told(server.chat("hello", stream=stream)) == HELLO


def test_disk_that_is_full(on_own_disk: Server) -> None:
    """With a full disk there are no sessions, but there is chat, with processes that could not be recorded."""
    server = on_own_disk
    assert told(server.chat("hello", session_id="one")) == HELLO
    filler = seen(server) / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    assert_sessions_fail(server)
    assert_whole(server)
    assert "not recorded" in server.log
    filler.unlink()
    assert told(server.chat("hello", session_id="one")) == HELLO
    messages = server.get("/v1/sessions/one")[1]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2
    assert_whole(server)


def test_disk_that_is_read_only(on_own_disk: Server) -> None:
    """With a disk that cannot be written there are no sessions, but there is chat."""
    server = on_own_disk
    if not confined.make_read_only(server.process.pid, server.state):
        pytest.skip("this system does not let the disk be made read-only")
    assert_sessions_fail(server)
    assert_whole(server)
    assert "not recorded" in server.log


def test_records_that_cannot_be_written(serve: Callable[..., Server]) -> None:
    """Where the folder of records is a file, chat works; the record is for the case that a worker is killed."""
    server = serve(**FAKE)
    server.wait_for_spare()
    shutil.rmtree(server.state / "processes")
    (server.state / "processes").write_text("in the way")
    for stream in (False, True):
        assert told(server.chat("hello", stream=stream)) == HELLO
    assert_whole(server)
    assert "not recorded" in server.log


def test_no_more_processes(serve: Callable[..., Server]) -> None:
    """Where the system starts no process, a request is a 502 that says so; nothing crashes, and it passes."""
    user = confined.ordinary_user()
    if user is None:
        pytest.skip("here no limit of processes binds")
    server = serve((*user, *confined.SERVE), CLAUDE_PROXY_SPARES="0", CLAUDE_PROXY_KEEP="0", **FAKE)
    assert told(server.chat("hello")) == HELLO
    worker = server.worker().pid
    until(server.is_whole, what="a whole server")
    confined.limit_processes(user, worker, 1)
    for stream in (False, True):
        answer = server.chat("hello", stream=stream)
        assert told(answer) == Told(502, "cli_exited", "")
        assert answer[2]["error"]["message"].startswith("The claude CLI could not be started: Resource temporarily")
    assert server.get("/health")[0] == 200
    confined.limit_processes(user, worker, None)
    assert_whole(server)
    assert server.worker().pid == worker
    assert "Traceback" not in server.log


def test_no_more_descriptors(serve: Callable[..., Server]) -> None:
    """With too few descriptors for another process a request is a 502 that says so; those that run go on.

    Idle connections cannot bring that about: they make room. When there are descriptors again, all is well.
    """
    server = serve(
        confined.few_descriptors(80),
        CLAUDE_PROXY_SPARES="0",
        CLAUDE_PROXY_KEEP="0",
        CLAUDE_PROXY_MAX_CONCURRENCY="64",
        **FAKE,
    )
    assert told(server.chat("hello")) == HELLO
    until(server.is_whole, what="a whole server")
    worker = server.worker()
    before = worker.num_fds()
    with contextlib.ExitStack() as streams:
        for stream in (False, True):
            for _ in range(20):
                running = streams.enter_context(server.open_stream("hang"))
                if not read_some(running).startswith(b"HTTP/1.1 200"):
                    break
            else:
                pytest.fail("80 descriptors were enough for 20 processes")
            answer = server.chat("hello", stream=stream)
            assert told(answer) == Told(502, "cli_exited", "")
            assert answer[2]["error"]["message"] == "The claude CLI could not be started: Too many open files."
            assert server.get("/health")[0] == 200
    assert_whole(server)
    until(lambda: worker.num_fds() <= before, what="all descriptors back")
    assert server.worker().pid == worker.pid


def read_some(connection: socket.socket) -> bytes:
    """Return what comes first of an answer."""
    connection.settimeout(20)
    return connection.recv(4096)
