"""Starts and ends: whatever happens to the server, no turn is left half told and no `claude` survives."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from conftest import FAKE_CLAUDE
from server import CONFIG, GUNICORN, Server, events, free_port, living, read_to_end, read_until, text_of, until

from app.standin import Reply, StandIn, Text

FAKE = {"CLAUDE_BIN": str(FAKE_CLAUDE)}


def short(seconds: int) -> tuple[str, ...]:
    """Return the command line of a server with this much time for its end."""
    return (*GUNICORN, *CONFIG, "--graceful-timeout", str(seconds), "wsgi:app")


def pids(server: Server) -> set[int]:
    """Return the living CLI processes of a server."""
    return {process.pid for process in server.children()}


def assert_ended_honestly(data: bytes, text: str) -> None:
    """The stream gave its text and then the reason for its end, and was closed in good order."""
    chunks = events(data)
    assert text_of(chunks[:-1]) == text
    assert chunks[-1]["error"]["code"] == "shutting_down"
    assert data.endswith(b"\r\n0\r\n\r\n")


def test_term_while_idle(serve: Callable[..., Server]) -> None:
    """An idle server stops soon after SIGTERM, with status 0 and its spare."""
    server = serve()
    server.wait_for_spare()
    spare = pids(server)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 8  # about two on a machine with nothing else to do
    assert not living(spare)
    assert list((server.state / "processes").iterdir()) == []


# Makes a server the first process of a terminal's session; a terminal sends its signal to all of them.
ATTACH = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_interrupt_on_a_terminal(serve: Callable[..., Server]) -> None:
    """Ctrl-C, which a terminal sends to master and worker alike, ends the server without a traceback."""
    terminal, theirs = pty.openpty()
    server = serve(
        (sys.executable, "-c", ATTACH, str(theirs), *GUNICORN, *CONFIG, "wsgi:app"),
        wait=False,
        pass_fds=(theirs,),
        **FAKE,
    )
    os.close(theirs)
    server.wait()
    server.wait_for_spare()
    with server.open_stream("hang") as connection:
        data = read_until(connection, b"Hello ")
        os.write(terminal, b"\x03")
        data += read_to_end(connection)
    assert server.process.wait(20) == 0
    os.close(terminal)
    assert_ended_honestly(data, "Hello ")
    assert "Handling signal: int" in server.log
    assert "Traceback" not in server.log
    assert server.children() == []


def test_idle_connections_hold_up_no_stop(serve: Callable[..., Server]) -> None:
    """A connection that asks for nothing, such as a browser's in reserve, is closed, and quietly."""
    server = serve(**FAKE)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(3)]
        assert server.chat("hello")[0] == 200
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        # The worker accepts for up to a second more.
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 5:
                idle.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 1)))
                time.sleep(0.1)
        assert server.process.wait(20) == 0
        assert time.monotonic() - began < 10  # about two on a machine with nothing else to do
        for connection in idle[:3]:
            connection.settimeout(5)
            assert connection.recv(1) == b""
    assert "Traceback" not in server.log
    assert "graceful timeout" not in server.log


def test_slow_reader_of_a_whole_answer(serve: Callable[..., Server]) -> None:
    """An answer that is being read while the server stops is read to its end."""
    server = serve(**FAKE)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        body = b'{"model":"sonnet","messages":[{"role":"user","content":"flood"}]}'
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        data = connection.recv(100)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(2)
        data += read_to_end(connection)
    assert json.loads(data.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["content"].endswith("world.")
    assert server.process.wait(20) == 0


def test_term_lets_a_turn_finish(serve: Callable[..., Server], standin: StandIn, *, stream: bool) -> None:
    """A turn that ends in time is answered in full after SIGTERM, and new requests are told to come back."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."], pause=1.0),))
    server = serve()
    server.wait_for_spare()
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        answer = threads.submit(server.chat, "Hi", stream=stream)
        until(lambda: standin.active == 1, what="turn")
        server.process.send_signal(signal.SIGTERM)
        status, _, body = answer.result(20)
    assert status == 200
    if stream:
        assert body[-1] == "[DONE]"
        assert text_of(body) == "One two three."
    else:
        assert body["choices"][0]["message"]["content"] == "One two three."
    assert server.process.wait(10) == 0
    assert server.children() == []


def test_term_answers_who_has_connected(serve: Callable[..., Server]) -> None:
    """Whoever has connected before the worker stops listening is answered, not reset and not told to come back."""
    server = serve(**FAKE)
    server.wait_for_spare()
    worker = server.worker()
    worker.suspend()  # so that it finds them and the signal at the same moment
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.open_stream("Hello.", stream=False)) for _ in range(8)]
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1.1)  # the worker looks once a second whether it is to end
        worker.resume()
        answers = [read_to_end(connection) for connection in connections]
    assert [answer.split()[1] for answer in answers] == [b"200"] * 8
    assert server.process.wait(20) == 0


def test_two_workers(serve: Callable[..., Server]) -> None:
    """`serve --workers 2` has both answer at one address; one that dies takes no session with it, and is replaced."""
    command = str(Path(sys.executable).with_name("claude-max-api"))
    server = serve((command, "serve", "--workers", "2"), **FAKE)

    def spared() -> int:
        return sum(bool(worker.children()) for worker in server.workers())

    until(lambda: spared() == 2, 20, "two workers with a spare each")
    assert "2 workers answer there." in server.log
    assert [server.chat(f"Hello {number}.", session_id="garden")[0] for number in range(6)] == [200] * 6
    dead = server.worker()
    dead.kill()
    until(lambda: dead not in server.workers() and spared() == 2, 20, "another worker")
    assert server.chat("Hello again.", session_id="garden")[0] == 200
    assert len(server.get("/v1/sessions/garden")[1]["messages"]) == 14
    assert server.stop(signal.SIGTERM) == 0
    assert server.children() == []


@pytest.mark.parametrize("seconds", [2, 5])
def test_term_ends_a_long_stream(serve: Callable[..., Server], standin: StandIn, seconds: int) -> None:
    """A turn that takes too long is ended within the graceful time-out, and its client is told so."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),), silent_after=2)
    server = serve(short(seconds))
    server.wait_for_spare()
    with server.open_stream("Hi") as connection:
        head = read_until(connection, b"two ")
        before = pids(server)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        data = head + read_to_end(connection)
        took = time.monotonic() - began
    assert_ended_honestly(data, "One two ")
    # A good part of the time is the turn's, the rest is for its end.
    assert 0.4 * seconds <= took < seconds
    assert server.process.wait(seconds + 5) == 0
    assert not living(before)
    assert server.children() == []


def test_term_ends_what_does_not_stream_and_what_waits(serve: Callable[..., Server]) -> None:
    """A request that is not streamed and one in the queue get a 503 when the server stops, and may try again."""
    server = serve(short(2), CLAUDE_PROXY_MAX_CONCURRENCY="1", **FAKE)
    server.wait_for_spare()
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(server.chat, "hang")]
        until(lambda: server.slots() == (1, 0), what="turn")
        answers.append(threads.submit(server.chat, "hello"))
        until(lambda: server.slots() == (1, 1), what="queue")
        server.process.send_signal(signal.SIGTERM)
        for answer in answers:
            status, headers, body = answer.result(20)
            assert status == 503
            assert body["error"]["code"] == "shutting_down"
            assert headers["x-should-retry"] == "true"
    assert server.process.wait(10) == 0
    assert server.children() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["INT", "QUIT"])
def test_quick_stop(serve: Callable[..., Server], number: int) -> None:
    """SIGINT and SIGQUIT end a running turn at once, a stubborn one too; its client is told so."""
    server = serve(**FAKE)
    server.wait_for_spare()
    with server.open_stream("stubborn") as connection:
        head = read_until(connection, b"Hello ")
        before = pids(server)
        began = time.monotonic()
        server.process.send_signal(number)
        data = head + read_to_end(connection)
    assert_ended_honestly(data, "Hello ")
    assert server.process.wait(10) == 0
    assert time.monotonic() - began < 8
    assert not living(before)
    assert server.children() == []


def test_reload(serve: Callable[..., Server]) -> None:
    """SIGHUP brings a new worker that serves while the old one's stream gets its time; then the old one is gone."""
    server = serve(short(4), **FAKE)
    server.wait_for_spare()
    old = server.worker()
    with server.open_stream("hang") as connection:
        head = read_until(connection, b"Hello ")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: len(psutil.Process(server.process.pid).children()) == 2, what="new worker")
        before = pids(server)
        data = head + read_to_end(connection)
    assert_ended_honestly(data, "Hello ")
    until(lambda: not living({old.pid}), 10, "end of the old worker")
    assert server.chat("hello")[0] == 200
    until(server.is_whole, what="a whole server")
    assert pids(server) - before or len(before) > 1
    assert server.stop() == 0
    assert server.children() == []


def test_reload_of_the_file(serve: Callable[..., Server], tmp_path: Path) -> None:
    """SIGHUP has the file read again, the port included; with a mistake in it all goes on as it was, which is said."""
    file, ports = tmp_path / "config.toml", [free_port(), free_port()]
    file.write_text(f"port = {ports[0]}\nspares = 0\n")
    server = serve(wait=False, PORT="", CLAUDE_PROXY_CONFIG=str(file), **FAKE)
    server.port = ports[0]
    server.wait()
    assert server.get("/ready")[1]["spares"]["wanted"] == 0
    file.write_text(f"port = {ports[1]}\nspares = many\n")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "not reloaded" in server.log, 20, "the refusal")
    assert f"{file}:2: this is no TOML" in server.log
    assert server.get("/health")[0] == 200
    file.write_text(f'port = {ports[1]}\nspares = 2\nlog_level = "many"\n')
    server.process.send_signal(signal.SIGHUP)
    until(lambda: f"{file}:3: log_level" in server.log, 20, "the second refusal")
    assert server.get("/health")[0] == 200
    file.write_text(f"port = {ports[1]}\nspares = 2\n")
    server.process.send_signal(signal.SIGHUP)
    server.port = ports[1]
    server.wait()
    assert server.get("/ready")[1]["spares"]["wanted"] == 2
    assert server.stop() == 0


def test_kill_of_the_worker(serve: Callable[..., Server]) -> None:
    """A killed worker's processes end with it, those that do not notice its death too, and another serves."""
    server = serve(**FAKE)
    server.wait_for_spare()
    with server.open_stream("stubborn") as connection:
        read_until(connection, b"Hello ")
        server.wait_for_spare()
        before = pids(server)
        assert len(before) == 3
        server.worker().kill()
        with contextlib.suppress(ConnectionError):
            assert b"[DONE]" not in read_to_end(connection)
    until(lambda: not living(before), 15, "end of the orphans")
    server.wait()
    until(server.is_whole, 15, "a whole server")
    assert server.chat("hello")[0] == 200


def test_kill_of_everything(serve: Callable[..., Server], standin: StandIn) -> None:
    """After SIGKILL of master and worker their CLIs end this moment, idle or busy."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."], pause=1.0),))
    server = serve(CLAUDE_PROXY_SPARES="2")
    server.wait_for_spare(2)
    with server.open_stream("Hi") as connection:
        read_until(connection, b"One ")
        before = pids(server)
        assert len(before) >= 2
        worker = server.worker()
        server.process.kill()
        worker.kill()
        until(lambda: not living(before), 10, "end of the orphans")


def test_next_start_sweeps(serve: Callable[..., Server], tmp_path: Path) -> None:
    """What survived a SIGKILL of everything, the undertaker too, is ended by the next server on the same state folder.

    Nothing else is. With threads the kernel does not end it, as it does under gevent.
    """
    state = {"CLAUDE_PROXY_STATE_DIR": str(tmp_path / "state"), **FAKE}
    port = str(free_port())
    threads = (*GUNICORN, "--bind", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "8", "wsgi:app")
    server = serve(threads, PORT=port, **state)
    server.wait_for_spare()
    with server.open_stream("stubborn") as connection:
        read_until(connection, b"Hello ")
        stubborn = pids(server)
        worker = server.worker()
        for process in (server.undertaker(), server.process, worker):
            process.kill()
    until(lambda: len(living(stubborn)) == 2, what="the stubborn ones")
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        # A record whose number belongs to a stranger by now.
        records = tmp_path / "state" / "processes"
        old = json.loads(next(records.iterdir()).read_bytes())
        old |= {"pid": stranger.pid, "started": old["started"] - 60}
        (records / str(stranger.pid)).write_text(json.dumps(old))
        following = serve(**state)
        until(lambda: not living(stubborn), 10, "end of the orphans")
        assert stranger.poll() is None
        stranger.kill()
    following.wait_for_spare()
    assert "swept orphans=1" in following.log
    assert following.chat("hello")[0] == 200
    assert following.stop() == 0
    assert list((tmp_path / "state" / "processes").iterdir()) == []


@pytest.mark.parametrize("kind", ["gevent", "gthread", "flask"])
def test_other_ways_to_serve(serve: Callable[..., Server], kind: str) -> None:
    """Without our settings for gunicorn, with threads, and under Flask's own server the API is the same.

    Both modes answer, a departed client's turn ends, and no process is left after SIGTERM.
    """
    port = str(free_port())
    bind = ("--bind", f"127.0.0.1:{port}", "--graceful-timeout", "3")
    argv = {
        "gevent": (*GUNICORN, *bind, "-k", "gevent", "wsgi:app"),
        "gthread": (*GUNICORN, *bind, "-k", "gthread", "--threads", "8", "wsgi:app"),
        "flask": (sys.executable, "-m", "flask", "--app", "wsgi", "run", "--port", port),
    }[kind]
    server = serve(argv, PORT=port, CLAUDE_PROXY_KEEP="0", **FAKE)
    server.wait_for_spare()
    status, _, body = server.chat("hello")
    assert status == 200
    assert body["choices"][0]["message"]["content"] == "Hello world."
    status, _, chunks = server.chat("hello", stream=True)
    assert status == 200
    assert chunks[-1] == "[DONE]"
    assert text_of(chunks) == "Hello world."
    for stream in (False, True):
        until(server.is_whole, what="a whole server")
        before = pids(server)
        with server.open_stream("hang", stream=stream) as connection:
            until(lambda: server.slots() == (1, 0), what="turn")
            if stream:
                read_until(connection, b"Hello ")
        until(lambda gone=before: not living(gone), 3, "end of the departed client's process")
    server.wait_for_spare()
    before = pids(server)
    with server.open_stream("slow") as connection:
        read_until(connection, b"Hello ")
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)
    until(lambda: not living(before) and server.children() == [], 10, "end of every process")


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "abc"), ("PORT", "99999"), ("CLAUDE_PROXY_SPARES", "x"), ("HOST", "0.0.0.0")]
)
def test_bad_setting(serve: Callable[..., Server], name: str, value: str) -> None:
    """A setting that cannot be used ends gunicorn within seconds, with one sentence that names it, and no respawn."""
    env = {name: value} if name == "PORT" else {name: value, "PORT": str(free_port())}
    output = run_until_it_ends(serve, **env)
    lines = [line for line in output.splitlines() if f"{name}={value}" in line]
    assert len(lines) == 1
    assert lines[0].startswith("claude-max-api-proxy: ")
    assert "Traceback" not in output
    assert output.count("Booting worker") <= 1


def run_until_it_ends(serve: Callable[..., Server], **env: str) -> str:
    """Start a server that cannot start; return what it said."""
    server = serve(wait=False, unproven=True, **env)
    assert server.process.wait(10) != 0
    return server.log


def test_state_folder_that_cannot_be_used(serve: Callable[..., Server], tmp_path: Path) -> None:
    """A state folder that cannot be made is a bad setting like any other."""
    (tmp_path / "file").write_text("")
    output = run_until_it_ends(serve, CLAUDE_PROXY_STATE_DIR=str(tmp_path / "file" / "state"))
    assert "CLAUDE_PROXY_STATE_DIR" in output
    assert "Traceback" not in output


def test_flask_refuses_a_bad_setting(serve: Callable[..., Server]) -> None:
    """Flask's own server says the same sentence."""
    argv = (sys.executable, "-m", "flask", "--app", "wsgi", "run", "--port", str(free_port()))
    server = serve(argv, wait=False, CLAUDE_PROXY_SPARES="x")
    assert server.process.wait(10) != 0
    assert "CLAUDE_PROXY_SPARES=x" in server.log
