"""Three servers behind a real HAProxy, and behind a real nginx, as `claude-max-api config` sets them up."""

from __future__ import annotations

import contextlib
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

import pytest
from conftest import FAKE_CLAUDE
from server import read_to_end, read_until, until

from app.keys.postgres import PostgresKeys
from app.postgres.database import Postgres
from tests.postgres.fronts import Front, kill_host, program_of, talk, wait_for_turns

HOSTS = 3
# Three servers, a database and a balancer take their time on a machine that does something else, too.
pytestmark = pytest.mark.timeout(240)
# `python -m tests.bench --only hosts` has the figure of a machine with nothing else to do: 2 seconds.
MAX_GAP_SECONDS = 15
# A balancer looks once a second whether a host is back.
BALANCER_SECONDS = 3
WORDS = b"Hello "


@pytest.fixture(scope="module", params=["haproxy", "nginx"])
def front(request, engine, session_serve):
    """What stands in front of three servers, each its own host, with one database."""
    if program_of(request.param) is None:
        pytest.skip(f"{request.param} is not installed (apt-get install haproxy nginx-light)")
    url = engine.create()
    database = Postgres(url)
    key = PostgresKeys(database).add("tests")
    database.close()
    env = {"CLAUDE_PROXY_DATABASE": url, "CLAUDE_BIN": str(FAKE_CLAUDE), "CLAUDE_PROXY_KEEP": "0"}
    env |= {"CLAUDE_PROXY_ALLOWED_HOSTS": "claude.example.org", "CLAUDE_PROXY_ADMIN_KEYS": "tests"}
    env |= {"CLAUDE_PROXY_READY_WHEN_LIMITED": "0", "CLAUDE_PROXY_LIMIT_PROBE": "600"}
    with contextlib.ExitStack() as scope:

        def start(**more):
            server = session_serve(wait=False, **env, **more)
            scope.callback(server.kill)
            return server

        servers = [start() for _ in range(HOSTS)]
        # Not one of pytest's own folders, which only their owner may enter.
        folder = Path(scope.enter_context(tempfile.TemporaryDirectory(prefix="front-")))
        folder.chmod(0o755)
        front = scope.enter_context(Front(request.param, servers, folder, key))
        front.balancer, front.start = request.param, start
        for server in servers:
            front.wait_for(server)
        yield front


@pytest.fixture
def whole(front):
    """The same with all of its hosts: those that are gone, or of no more use, come back at their place."""
    yield front
    again = False
    for number, server in enumerate(front.servers):
        if server.process.poll() is not None or front.ask_at(server, "/ready")[0] != 200:
            server.kill()
            front.servers[number] = front.start(PORT=str(server.port))
            front.wait_for(front.servers[number])
            again = True
    if again:
        time.sleep(BALANCER_SECONDS)


def test_one_is_killed(whole):
    """The others go on with its sessions: none is lost, no turn is kept twice; its streams end, and no others."""
    with whole.opened("hang on", WORDS, HOSTS) as streams:
        talkers = talk(whole, [f"talk-{number}" for number in range(3)])
        victim = streams[0].server
        kill_host(victim)
        killed = time.monotonic()
        assert all(stream.breaks_off() for stream in streams if stream.server is victim)  # nobody waits for a dead host
        assert time.monotonic() - killed < MAX_GAP_SECONDS
        wait_for_turns(talkers, 2)
        assert all(stream.is_open() for stream in streams if stream.server is not victim)
    assert {talker.session: wrong for talker in talkers if (wrong := talker.end())} == {}
    assert max(talker.seconds_to_answer(killed) for talker in talkers) < MAX_GAP_SECONDS


class Crowd:
    """Clients of all sorts, who ask until the end of a block; none may be refused. `like` is the affinity of some."""

    def __init__(self, front, like):
        self._front, self._like = front, like
        self._done = threading.Event()
        self.statuses = []
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(3)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self, number):
        asked = 0
        while not self._done.is_set():
            affinity = self._like if number == 0 else f"crowd {number} {asked}"
            try:
                self.statuses.append(self._front.chat("Hello.", **{"x-session-affinity": affinity}))
            except Exception as error:  # noqa: BLE001 - looked at by the test
                self.statuses.append(repr(error))
            asked += 1


def test_one_is_stopped(whole):
    """A host that gets SIGTERM finishes its streams, and nobody who asks meanwhile is refused."""
    with whole.opened("slow one", WORDS, 1) as (stream,), Crowd(whole, stream.affinity) as crowd:
        until(lambda: len(crowd.statuses) > 5, 30, "some answers")
        stream.server.process.send_signal(signal.SIGTERM)
        rest = read_to_end(stream.connection)
        assert stream.server.process.wait(40) == 0
        since = len(crowd.statuses)
        until(lambda: len(crowd.statuses) > since + 5, 30, "some more answers")
    assert rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert set(crowd.statuses) == {200}


def test_a_plan_is_used_up(whole):
    """A host whose plan is used up keeps its running stream; when it is noticed, others answer what is new."""
    if whole.balancer == "nginx":
        pytest.skip("nginx asks nobody whether they are ready")
    with whole.opened("hang on", WORDS, 1) as (stream,):
        like = {"x-session-affinity": stream.affinity}
        assert whole.chat("limited", **like) == 429
        until(lambda: whole.chat("Hello.", **like) == 200, 30, "another host's answer")
        before = answered(stream.server, whole)
        with Crowd(whole, stream.affinity) as crowd:
            until(lambda: len(crowd.statuses) > 10, 30, "some answers")
        assert set(crowd.statuses) == {200}
        assert answered(stream.server, whole) == before
        assert stream.is_open()


def test_a_session_has_its_host(front):
    """Requests of a session go to one host, those of several sessions to several."""

    def hosts() -> list[int]:
        """Return the host of each of some sessions; none where requests of one went to several."""
        found = []
        for number in range(8):
            before = [answered(server, front) for server in front.servers]
            for _ in range(2):
                assert front.chat("Hello.", f"place-{number}") == 200
            rises = [answered(server, front) - was for server, was in zip(front.servers, before, strict=True)]
            if sorted(rises) != [0, 0, 2]:
                return []
            found.append(rises.index(2))
        return found

    # A balancer that has missed a host, in the test before, asks it again in some seconds only.
    assert len(set(until(hosts, 60, "a host for each session"))) > 1


def answered(server, front):
    """Return how many turns a server has answered."""
    lines = front.ask_at(server, "/metrics")[1].splitlines()
    turns = [line for line in lines if line.startswith("claude_proxy_turns_total{")]
    return sum(float(line.split()[-1]) for line in turns)


def test_who_names_no_session(front):
    """A request without session, and one without a key, are served as by one server."""
    assert [front.chat("Hello.") for _ in range(3)] == [200] * 3
    with socket.create_connection(("127.0.0.1", front.port), timeout=30) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: claude.example.org\r\nConnection: close\r\n\r\n")
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")
    assert front.chat("Hello.", Authorization="") == 401


def test_each_word_as_it_comes(front):
    """A stream is passed on event by event: what the CLI says three seconds later comes so much later."""
    with front.stream("slow one") as connection:
        read_until(connection, WORDS)
        first = time.monotonic()
        read_until(connection, b"world.")
        assert time.monotonic() - first > 1.5


def test_a_client_that_leaves(front):
    """A client's end reaches the CLI through the balancer, and ends a turn that would go on for ever."""
    with front.stream("hang on") as connection:
        read_until(connection, WORDS)
    until(lambda: not any(front.running(server) for server in front.servers), 20, "the end of the turn")
    assert any("\nclaude_proxy_disconnects_total{" in front.ask_at(server, "/metrics")[1] for server in front.servers)
