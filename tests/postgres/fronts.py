"""HAProxy and nginx as `claude-max-api config` sets them up, in front of servers, and the clients who call there."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from click.testing import CliRunner
from server import Server, free_port, living, read_to_end, read_until, until

from app.console import main

PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
NAME = "claude.example.org"
# How long a talker goes on asking whether its turn was kept, in seconds, and how long it is silent between two turns.
MAX_SECONDS, PAUSE_SECONDS = 60, 0.05
# What the printed part for nginx is included in: all that it writes is in its folder, as its user's own.
NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include made.cfg;
}
"""


def program_of(balancer: str) -> str | None:
    """Return where HAProxy or nginx is, None where it is not installed."""
    return shutil.which(balancer, path=PATH)


class Stream(NamedTuple):
    """A stream that has begun, and whose answer it is."""

    affinity: str
    connection: socket.socket
    server: Server

    def breaks_off(self) -> bool:
        """Return, at its end, whether its client sees that it is none: the last chunk is missing."""
        rest = b""
        with contextlib.suppress(ConnectionResetError):
            rest = read_to_end(self.connection)
        return not rest.endswith(b"0\r\n\r\n")

    def is_open(self) -> bool:
        """Tell whether it goes on, as far as is known now."""
        self.connection.settimeout(0)
        try:
            return bool(self.connection.recv(65536))
        except BlockingIOError:
            return True


class Front:
    """The one address, as a client uses it; `key` is for HAProxy's checks and for the clients. Leave it to end it."""

    def __init__(self, balancer: str, servers: list[Server], folder: Path, key: str = "none") -> None:
        self.port, self.key, self.servers, self._folder = free_port(), key, servers, folder
        hosts = [f"127.0.0.1:{server.port}" for server in servers]
        argv = ["config", balancer, *hosts, "--listen", f"127.0.0.1:{self.port}", "--no-tls"]
        made = CliRunner().invoke(main, argv)
        assert made.exit_code == 0, made.output
        (folder / "made.cfg").write_text(made.stdout)
        self.process = self._haproxy() if balancer == "haproxy" else self._nginx()

    def _haproxy(self) -> subprocess.Popen[bytes]:
        argv = [str(program_of("haproxy")), "-db", "-f", str(self._folder / "made.cfg")]
        return subprocess.Popen(argv, env={"CLAUDE_PROXY_API_KEY": self.key})

    def _nginx(self) -> subprocess.Popen[bytes]:
        (self._folder / "nginx.conf").write_text(NGINX)
        argv = [str(program_of("nginx")), "-p", str(self._folder), "-c", "nginx.conf", "-e", "error.log"]
        user = None
        if os.geteuid() == 0:  # it has to do for anybody
            user = "nobody"
            shutil.chown(self._folder, user)
        return subprocess.Popen(argv, user=user, env={}, cwd="/")

    def __enter__(self) -> Self:
        until(self.listens, 20, "what listens in front")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()

    def listens(self) -> bool:
        """Tell whether one can connect."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def ask(
        self, method: str, path: str, body: object = None, session: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body; raise OSError or HTTPException where there is no whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"Host": NAME, "Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers}
        given |= {"X-Session-Id": session} if session else {}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), given)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def chat(self, text: str, session: str | None = None, **headers: str) -> int:
        """Ask one question; return the status."""
        body = {"model": "sonnet", "messages": [{"role": "user", "content": text}]}
        return self.ask("POST", "/v1/chat/completions", body, session, **headers)[0]

    def stream(self, text: str, **headers: str) -> socket.socket:
        """Return the connection of a stream, its answer unread."""
        data = json.dumps({"model": "sonnet", "messages": [{"role": "user", "content": text}], "stream": True})
        lines = ["POST /v1/chat/completions HTTP/1.1", f"Host: {NAME}", f"Content-Length: {len(data)}"]
        lines += [
            "Connection: close",
            f"Authorization: Bearer {self.key}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall("\r\n".join((*lines, "", data)).encode())
        return connection

    @contextlib.contextmanager
    def opened(self, question: str, mark: bytes, number: int) -> Iterator[list[Stream]]:
        """Open streams of several affinities one after the other, each until `mark` has come."""
        with contextlib.ExitStack() as scope:
            streams = []
            for affinity in (f"stream {at}" for at in range(number)):
                before = [self.running(server) for server in self.servers]
                connection = scope.enter_context(self.stream(question, **{"x-session-affinity": affinity}))
                read_until(connection, mark)
                now = [self.running(server) for server in self.servers]
                (at,) = (at for at in range(len(now)) if now[at] > before[at])
                streams.append(Stream(affinity, connection, self.servers[at]))
            yield streams

    def wait_for(self, server: Server) -> None:
        """Return when a server is up and ready."""

        def is_ready() -> bool:
            return self.ask_at(server, "/ready")[0] == 200

        server.wait(60)
        until(is_ready, 60, "a ready server")

    def ask_at(self, server: Server, path: str) -> tuple[int, str]:
        """Return status and text of a GET at one of the servers."""
        status, _, told = server.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
        return status, told.decode()

    def running(self, server: Server) -> int:
        """Return how many turns run on a server."""
        return int(json.loads(self.ask_at(server, "/ready")[1])["slots"]["running"])


def kill_host(server: Server) -> None:
    """End a server and all that belongs to it, as when a machine is gone."""
    worker = server.worker()
    children = {child.pid for child in server.children()}
    server.process.kill()
    worker.kill()
    for pid in living(children):
        with contextlib.suppress(OSError):
            os.kill(pid, 9)
    server.process.wait(10)


class NoAnswer(Exception):
    """The balancer, or a server, had none at that moment."""


def asked_in(front: Front, session: str) -> list[str]:
    """Return the questions that a session has, in their order."""
    status, _, body = front.ask("GET", f"/v1/sessions/{session}", session=session)
    if status == 404:
        return []
    if status != 200:
        raise NoAnswer(body)
    messages = json.loads(body)["messages"]
    return [message["content"][0]["text"] for message in messages if message["role"] == "user"]


class Talker(threading.Thread):
    """Goes on with a session; after an error it looks whether the turn was kept, and asks again if not."""

    def __init__(self, front: Front, session: str) -> None:
        super().__init__(daemon=True)
        self.session = session
        self.asked: list[str] = []
        self.answered_at: list[float] = []  # on the monotonic clock
        self.problem: Exception | None = None
        self._front = front
        self._done = threading.Event()

    def run(self) -> None:
        try:
            while not self._done.wait(PAUSE_SECONDS):
                self._turn(f"turn {len(self.asked)} of {self.session}")
        except Exception as error:  # noqa: BLE001 - looked at by `end`
            self.problem = error

    def end(self) -> dict[str, list[str]]:
        """Have the last turn; return what the session has lost, has twice, or has that nobody asked."""
        self._done.set()
        self.join(MAX_SECONDS)
        assert self.problem is None, self.problem
        assert not self.is_alive()
        kept = self._persist(lambda: asked_in(self._front, self.session))
        wrong = {
            "lost": [question for question in self.asked if question not in kept],
            "twice": sorted({question for question in kept if kept.count(question) > 1}),
            "strange": [question for question in kept if question not in self.asked],
        }
        if not any(wrong.values()):
            assert kept == self.asked  # in their order
        return {name: questions for name, questions in wrong.items() if questions}

    def seconds_to_answer(self, moment: float) -> float:
        """Return how long after a moment the first answer came."""
        return min(at for at in self.answered_at if at > moment) - moment

    def _turn(self, question: str) -> None:
        answered = self._try(question)
        while not answered and question not in self._persist(lambda: asked_in(self._front, self.session)):
            answered = self._try(question)
        self.asked.append(question)
        self.answered_at.append(time.monotonic())

    def _try(self, question: str) -> bool:
        try:
            return self._front.chat(question, self.session) == 200
        except (OSError, http.client.HTTPException):
            return False

    def _persist(self, look: Callable[[], list[str]]) -> list[str]:
        """Return what a look shows, which is taken again until there is an answer."""
        deadline = time.monotonic() + MAX_SECONDS
        while True:
            try:
                return look()
            except (OSError, http.client.HTTPException, NoAnswer):
                assert time.monotonic() < deadline, self.session
                time.sleep(PAUSE_SECONDS)


def talk(front: Front, sessions: list[str]) -> list[Talker]:
    """Begin to talk in each of the sessions; return when there are two turns in each."""
    talkers = [Talker(front, session) for session in sessions]
    for talker in talkers:
        talker.start()
    wait_for_turns(talkers, 2)
    return talkers


def wait_for_turns(talkers: list[Talker], turns: int) -> None:
    """Return when each talker has had so many more turns."""
    before = {talker: len(talker.asked) for talker in talkers}

    def all_have() -> bool:
        return all(talker.problem or len(talker.asked) >= before[talker] + turns for talker in talkers)

    until(all_have, 90, f"{turns} turns each")
