"""One `claude` process: its pipes, its lines and its end."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from app import process_identity
from app.claude.cli.incoming import LineBuffer
from app.claude.cli.parent_death import bind_to_parent
from app.errors import CliFailed, TurnTimeout
from app.event_loop import pause

READ_BYTES = 64 * 2**10
PIPE_BUFFER_BYTES = 2**20
STDERR_TAIL_BYTES = 8 * 2**10
MARK = "CLAUDE_PROXY_PROCESS"
TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"  # noqa: S105 - the name of a variable
BY_DESCRIPTOR = "_FILE_DESCRIPTOR"
# How long each step of ending a process may take. An idle CLI leaves 0.1 s after its input ends, once 1.6 s
# were seen; at SIGTERM it leaves at once, and a client that left expects its turn to be over within a second.
EOF_SECONDS = 2.0
TERM_SECONDS = 0.7
KILL_SECONDS = 2.0


class Process:
    """A running CLI with line-wise input and output.

    Its three standard streams are socket pairs, as Node gives its children: a socket has cooperative reads and
    writes with time-outs under gevent and under threads alike, and may be closed while somebody reads it.
    The process leads a group of its own, so that whatever it starts ends with it. One `with_tools` starts programs in
    groups of their own; they end with it, too.
    Where the kernel ends it when this process dies, its input does not end then: it would take that for the failure of
    its calls, and ask the API once more in the milliseconds it still has.

    Raises CliFailed when the system cannot start it.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, *, with_tools: bool = False) -> None:
        self.started = time.monotonic()
        self.killed = False  # by us
        self.with_tools = with_tools
        self._lines = LineBuffer()
        self._stderr_tail = b""
        self._closing = threading.Lock()
        self._writing = threading.Lock()
        self._closed = False
        # Programs that its tools start inherit the mark. It tells whose they are when the CLI has ended.
        self._mark = {MARK: secrets.token_hex(8)} if with_tools else {}
        pairs: list[tuple[socket.socket, socket.socket]] = []
        login, token = _login_by_descriptor(env) if with_tools else (env, None)
        try:
            pairs.extend(_socket_pair() for _ in range(3))
            theirs = [child.fileno() for _, child in pairs]
            # One that runs tools ends them at SIGTERM.
            bind = bind_to_parent(signal.SIGTERM if with_tools else signal.SIGKILL)
            handed = [] if token is None else [token]
            if bind is not None and not with_tools:
                # Our end, too: it reads no end while somebody could write, be it itself. A tool might really write.
                handed.append(pairs[0][0].fileno())
            self._popen = subprocess.Popen(
                argv,
                stdin=theirs[0],
                stdout=theirs[1],
                stderr=theirs[2],
                env={**login, **self._mark},
                pass_fds=handed,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=bind,  # noqa: PLW1509 - where it is not None that is no worse than without
            )
        except OSError as error:
            for ours, _ in pairs:
                ours.close()
            missing = isinstance(error, FileNotFoundError | PermissionError) and cwd.is_dir()
            code = "cli_missing" if missing else "cli_exited"
            raise CliFailed(f"The claude CLI could not be started: {error.strerror}.", code=code) from error
        finally:
            for _, child in pairs:
                child.close()
            if token is not None:
                os.close(token)
        self._stdin, self._stdout, self._stderr = (ours for ours, _ in pairs)
        self.pid = self._popen.pid
        self._stderr_reader = threading.Thread(target=self._drain_stderr, daemon=True)
        self._stderr_reader.start()

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit status, negative for a signal, or None while it runs."""
        return self._popen.poll()

    @property
    def stderr_tail(self) -> str:
        """The last 8 kB of its error output, for the log only: it may hold anything."""
        return self._stderr_tail.decode(errors="replace").strip()

    def write(self, data: bytes, timeout: float) -> None:
        """Write all of `data`, waiting at most `timeout` seconds for the CLI to take it; one after the other.

        Raises CliFailed when the process is gone, TurnTimeout when it does not read.
        """
        try:
            with self._writing:
                self._stdin.settimeout(timeout)
                self._stdin.sendall(data)
        except TimeoutError as error:
            raise TurnTimeout("The claude CLI did not take its input in time.") from error
        except OSError as error:
            raise self._ended() from error

    def read(self, timeout: float) -> list[bytes]:
        """Return the whole lines of one read; none if `timeout` seconds pass or no line is complete.

        Raises CliFailed at the end of the output.
        """
        try:
            self._stdout.settimeout(timeout)
            data = self._stdout.recv(READ_BYTES)
        except TimeoutError:
            return []
        except OSError:
            data = b""
        pause()  # there may always be more to read
        if data:
            return self._lines.feed(data)
        if last := self._lines.rest():
            return last
        raise self._ended()

    def readable(self, timeout: float) -> bool:
        """Return whether a read would not wait, waiting at most `timeout` seconds for that, and reading nothing."""
        # Not select(), which takes no descriptor beyond the 1,023rd: a worker may hold thousands of connections.
        poll = select.poll()
        try:
            poll.register(self._stdout, select.POLLIN)
            return bool(poll.poll(1000 * timeout))
        except (OSError, ValueError):
            return True  # closed; a read raises

    def kill(self) -> None:
        """End the whole group this moment; `close` still has to free the pipes."""
        self.killed = True
        with self._tree():
            self._signal(signal.SIGKILL)

    def close(self, *, at_once: bool) -> None:
        """End the process and its group and free its pipes; idempotent, and over within the sum of the three limits.

        An idle process leaves by itself when its input ends. `at_once` skips that wait: a busy one would finish its
        turn, and spend, first.
        """
        with self._closing:
            if self._closed:
                return
            with self._tree():
                with contextlib.suppress(OSError):
                    self._stdin.shutdown(socket.SHUT_RDWR)
                if at_once or not self._gone_within(EOF_SECONDS):
                    self._signal(signal.SIGTERM)
                    self._gone_within(TERM_SECONDS)
                # Even if the leader has ended: a tool it started may live on.
                self._signal(signal.SIGKILL)
                self._gone_within(KILL_SECONDS)
            self._closed = True
            for stream in (self._stdout, self._stderr):
                with contextlib.suppress(OSError):
                    stream.shutdown(socket.SHUT_RDWR)
            self._stderr_reader.join(KILL_SECONDS)
            for stream in (self._stdin, self._stdout, self._stderr):
                stream.close()

    def _ended(self) -> CliFailed:
        return CliFailed("The claude CLI ended before it finished its answer.", code="cli_exited")

    def _tree(self) -> contextlib.AbstractContextManager[None]:
        """Return what ends the programs that run now when it is left, wherever they have gone."""
        return process_identity.descendants_killed(self.pid, self._mark) if self._mark else contextlib.nullcontext()

    def _gone_within(self, seconds: float) -> bool:
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _signal(self, number: int) -> None:
        if self._closed:
            return  # the pid may belong to another program by now
        # A group of zombies gives EPERM on macOS.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _drain_stderr(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._stderr.recv(READ_BYTES):
                self._stderr_tail = (self._stderr_tail + data)[-STDERR_TAIL_BYTES:]


def _login_by_descriptor(env: Mapping[str, str]) -> tuple[Mapping[str, str], int | None]:
    """Return an environment without the login's token, and the descriptor that hands it over, if there is one.

    A program that a tool starts could read the token in `/proc/PID/environ`. What a pipe held is gone once it is read.
    Only Linux: nobody has tried elsewhere. Close the descriptor when the process has started.
    """
    token = env.get(TOKEN)
    if not token or sys.platform != "linux":
        return env, None
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(token.encode())
    return {
        **{name: value for name, value in env.items() if name != TOKEN},
        f"{TOKEN}{BY_DESCRIPTOR}": str(reading),
    }, reading


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return our end and the child's."""
    ours, child = socket.socketpair()
    for end in (ours, child):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, option, PIPE_BUFFER_BYTES)
    # gevent makes every socket non-blocking; the child expects ordinary standard streams.
    os.set_blocking(child.fileno(), True)
    return ours, child
