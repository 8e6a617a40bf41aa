"""A real gunicorn under test, with what a test wants to know of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent
GUNICORN = (sys.executable, "-m", "gunicorn")
CONFIG = ("-c", "app/gunicorn_config.py")


def free_port() -> int:
    """Return a port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Any, seconds: float = 10.0, what: str = "condition") -> Any:
    """Return the first true value of `condition()`; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"{what} not reached within {seconds} s"
        time.sleep(0.02)


class Server:
    """A server process; `env` is its whole environment and names its state folder."""

    def __init__(
        self, env: dict[str, str], log: Path, argv: tuple[str, ...] = (), pass_fds: tuple[int, ...] = ()
    ) -> None:
        port = env.setdefault("PORT", str(free_port()))
        self.port = int(port) if port.isdigit() else 0
        self.url = f"http://127.0.0.1:{self.port}"
        self.state = Path(env["CLAUDE_PROXY_STATE_DIR"])
        self.agent = ""  # what its clients call themselves
        self.log_path = log
        self._log_start = 0
        self._log = log.open("ab")
        command = argv or (*GUNICORN, *CONFIG, "wsgi:app")
        self.process = subprocess.Popen(
            command, env=env, cwd=ROOT, stdout=self._log, stderr=self._log, pass_fds=pass_fds
        )

    @property
    def sent_with_all(self) -> dict[str, str]:
        """The header that each request has."""
        return {"User-Agent": self.agent} if self.agent else {}

    @property
    def log(self) -> str:
        """What the server has said so far; where tests share it, what it has said since this one began."""
        return self.log_path.read_bytes()[self._log_start :].decode(errors="replace")

    def share(self) -> Server:
        """Return the server for the next of the tests that share it, whose log begins here."""
        self._log_start = self.log_path.stat().st_size
        return self

    def wait(self, seconds: float = 20.0) -> Server:
        """Return once the server answers."""

        def answers() -> bool:
            assert self.process.poll() is None, f"server ended:\n{self.log}"
            with contextlib.suppress(OSError):
                return self.get("/health")[0] == 200
            return False

        until(answers, seconds, "health")
        return self

    def wait_for_spare(self, number: int = 1) -> None:
        """Return once `number` spares are ready."""
        until(lambda: self.get("/ready")[1]["spares"]["ready"] >= number, 20, "spare")

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to be closed by the caller."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 30
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (lower case) and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            given = {"Content-Type": "application/json", **self.sent_with_all, **(headers or {})}
            connection.request(method, path, data, given)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON of a GET."""
        status, _, body = self.request("GET", path)
        return status, json.loads(body)

    def chat(self, text: str, *, stream: bool = False, timeout: float = 30, **fields: Any) -> tuple[int, Any, Any]:
        """Ask one question; return status, headers and the JSON, or the list of a stream's data events."""
        body = {"model": "sonnet", "messages": [{"role": "user", "content": text}], "stream": stream, **fields}
        status, headers, data = self.request("POST", "/v1/chat/completions", body, timeout=timeout)
        if headers["content-type"].startswith("text/event-stream"):
            return status, headers, events(data)
        return status, headers, json.loads(data)

    @contextlib.contextmanager
    def open_stream(
        self, text: str, *headers: str, stream: bool = True, body: dict[str, Any] | None = None
    ) -> Iterator[socket.socket]:
        """Send a question, or a whole `body`, with further header lines; yield the raw connection, answer unread."""
        asked = {"model": "sonnet", "messages": [{"role": "user", "content": text}], "stream": stream}
        data = json.dumps(body or asked).encode()
        lines = ("POST /v1/chat/completions HTTP/1.1", "Host: localhost", f"Content-Length: {len(data)}", *headers)
        lines += tuple(f"{name}: {value}" for name, value in self.sent_with_all.items())
        head = "\r\n".join((*lines, "", ""))
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(head.encode() + data)
            yield connection

    def children(self) -> list[psutil.Process]:
        """Return the living CLI processes of this server, orphans included, told by their working folder."""
        workspace = str(self.state / "workspace")
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == workspace:
                    found.append(process)
        return found

    def group(self, leader: int) -> list[psutil.Process]:
        """Return the living CLI processes in the process group that `leader` began."""
        found = []
        for process in self.children():
            with contextlib.suppress(OSError):
                if os.getpgid(process.pid) == leader:
                    found.append(process)
        return found

    def slots(self) -> tuple[int, int]:
        """Return how many turns run and how many requests wait for one."""
        slots = self.get("/ready")[1]["slots"]
        return slots["running"], slots["waiting"]

    def is_whole(self) -> bool:
        """Tell whether no turn runs or waits, and no process lives but those that wait."""
        ready = self.get("/ready")[1]
        spares, kept = ready["spares"]["ready"], ready["kept"]["idle"] + ready["kept"]["parked"]
        return self.slots() == (0, 0) and spares == ready["spares"]["wanted"] and len(self.children()) == spares + kept

    def worker(self) -> psutil.Process:
        """Return the one gunicorn worker."""
        return until(self.workers, what="worker")[0]

    def workers(self) -> list[psutil.Process]:
        """Return all of its gunicorn workers that live."""
        return [child for child in psutil.Process(self.process.pid).children() if "gunicorn" in command_of(child)]

    def undertaker(self) -> psutil.Process:
        """Return the shell that waits for the worker's death."""
        (found,) = [child for child in self.worker().children() if child.cwd() == "/"]
        return found

    def stop(self, number: int = signal.SIGTERM, seconds: float = 40.0) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        finally:
            self._log.close()

    def kill(self) -> None:
        """End everything of this server, whatever state it is in."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
        self.process.kill()
        self.process.wait(10)
        for child in self.children():
            with contextlib.suppress(psutil.Error):
                child.kill()
        self._log.close()


def command_of(process: psutil.Process) -> str:
    """Return a process's command line; nothing for one that has ended, waited for or not."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def living(pids: set[int]) -> set[int]:
    """Return those processes that have not ended."""
    found = set()
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.add(pid)
    return found


def read_to_end(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection, head and chunk sizes included."""
    parts = []
    while data := connection.recv(65536):
        parts.append(data)
    return b"".join(parts)


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    """Return what has come when `mark` is in it; fail when the connection ends before."""
    found = b""
    while mark not in found:
        data = connection.recv(65536)
        assert data, f"ended before {mark!r}: {found!r}"
        found += data
    return found


def events(data: bytes) -> list[Any]:
    """Return the data events of a stream, the end mark as the string it is."""
    lines = [line for line in data.decode().split("\n") if line.startswith("data: ")]
    return ["[DONE]" if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


def text_of(chunks: list[Any]) -> str:
    """Return the text a stream's chunks hold."""
    parts = [c["choices"][0]["delta"].get("content") or "" for c in chunks if c != "[DONE]" and c.get("choices")]
    return "".join(parts)
