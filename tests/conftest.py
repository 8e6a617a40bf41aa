"""Fixtures for all tests; the environment is emptied before anything else is imported."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import importlib.util
import logging

import hermetic
import hypothesis
import lent
import proven
import published
import pytest
from fake_backend import FakeBackend
from server import Server

from app import create_app
from app.claude.cli.proofs import Proof, Proofs
from app.config_reading import read_settings
from app.standin import StandIn
from app.web.state import state

# On a fresh machine the first property test builds a table of all characters, and the machine may be busy.
hypothesis.settings.register_profile("here", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("here")

FAKE_CLAUDE = Path(__file__).parent / "fake_claude.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests run with another version, as `python -m tests.versions` does."""
    parser.addoption("--container", action="store_true", help="also try the Dockerfile in a fresh Debian, some minutes")
    parser.addoption("--claude", type=Path, help="the real CLI; by default the one the test extra installs")


@pytest.fixture(scope="session")
def claude(request: pytest.FixtureRequest) -> Path:
    """The real CLI, from the package the test extra installs."""
    given: Path | None = request.config.getoption("--claude")
    if given is not None:
        return given
    package = importlib.util.find_spec("claude_agent_sdk")
    assert package is not None and package.origin is not None, "pip install '.[test]' brings the CLI"
    return Path(package.origin).parent / "_bundled" / "claude"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it would be published."""
    return published.wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def proof(claude: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Proof:
    """What is proven of the real CLI: it is tried once, and all servers of all workers of this run know of it."""
    base = tmp_path_factory.getbasetemp()
    return proven.real(claude, base if worker_id == "master" else base.parent)


@pytest.fixture(scope="session")
def session_standin() -> Iterator[StandIn]:
    with StandIn(reply=lent.three_words) as api:
        yield api


@pytest.fixture
def standin(session_standin: StandIn) -> Iterator[StandIn]:
    """The stand-in API, as new: three words for every request; it must not have refused any at the end."""
    with lent.lend(session_standin) as api:
        yield api
    assert session_standin.rejected == []


@pytest.fixture(scope="session")
def session_serve(
    tmp_path_factory: pytest.TempPathFactory, claude: Path, session_standin: StandIn, request: pytest.FixtureRequest
) -> Callable[..., Server]:
    def start(
        argv: tuple[str, ...] = (),
        *,
        wait: bool = True,
        pass_fds: tuple[int, ...] = (),
        unproven: bool = False,
        **env: str,
    ) -> Server:
        home = tmp_path_factory.mktemp("home")
        full = hermetic.environment(home, session_standin.url, **{"CLAUDE_BIN": str(claude), **env})
        executable = Path(full["CLAUDE_BIN"])
        if executable.is_file() and not unproven:
            known = request.getfixturevalue("proof") if executable == claude else proven.pretended(executable)
            Proofs(Path(full["CLAUDE_PROXY_STATE_DIR"])).keep(known)
        server = Server(full, home / "server.log", argv, pass_fds)
        return server.wait() if wait else server

    return start


@pytest.fixture
def serve(session_serve: Callable[..., Server], standin: StandIn) -> Iterator[Callable[..., Server]]:
    """Start servers with the real CLI, for this test alone; keyword arguments are further environment variables."""
    with contextlib.ExitStack() as servers:

        def start(argv: tuple[str, ...] = (), *, wait: bool = True, **more: Any) -> Server:
            server = session_serve(argv, wait=False, **more)
            servers.callback(server.kill)
            return server.wait() if wait else server

        yield start


@pytest.fixture(scope="session")
def real_server(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_PROXY_KEEP="0")
    yield server
    server.kill()


@pytest.fixture(scope="session")
def session_keeping_server(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def session_fake_server(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_KEEP="0")
    yield server
    server.kill()


@pytest.fixture(params=[False, True], ids=["whole", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Whether the answer is asked for as a stream; a test with it runs both ways."""
    return request.param


@pytest.fixture
def server(real_server: Server, standin: StandIn) -> Server:
    """A server with the real CLI and a spare ready, shared by all tests that leave it whole.

    It keeps no process after its turn, so that a test knows the few there are.
    """
    real_server.wait_for_spare()
    # A CLI that the test before cut at max_tokens may have had its next request under way.
    lent.forget(standin)
    return real_server.share()


@pytest.fixture
def keeping_server(session_keeping_server: Server, standin: StandIn) -> Server:
    """A server like `server`, with the settings a user has: it keeps processes for what follows."""
    session_keeping_server.wait_for_spare()
    lent.forget(standin)
    return session_keeping_server.share()


@pytest.fixture
def fake_server(session_fake_server: Server) -> Server:
    """A server whose CLI is the fake, which does what the question's first word says; shared like `server`."""
    session_fake_server.wait_for_spare()
    return session_fake_server.share()


@pytest.fixture
def logger():
    """Give the application's logger, which is as before at the end."""
    logger = logging.getLogger("app")
    before = logger.level, list(logger.handlers)
    yield logger
    logger.setLevel(before[0])
    # The handler holds on to a standard error that is this test's.
    logger.handlers[:] = before[1]


@pytest.fixture
def make_app(tmp_path, logger):
    """Give a function that makes an application with further environment variables; all of it is closed at the end."""
    apps = []

    def make(**env):
        base = {"CLAUDE_BIN": str(FAKE_CLAUDE), "CLAUDE_PROXY_SPARES": "0"}
        Proofs(tmp_path / "state").keep(proven.pretended(FAKE_CLAUDE))
        apps.append(create_app(read_settings(hermetic.environment(tmp_path, **base, **env))))
        state(apps[-1]).start()
        return apps[-1]

    yield make
    for app in apps:
        state(app).start.close()
        state(app).backend.processes.keeper._thread.join(10)


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def ask(client):
    """Give a function that posts one question; its first word tells the fake CLI what to do."""

    def post(text, headers=None, path="/v1/chat/completions", **fields):
        body = {"model": "sonnet", "messages": [{"role": "user", "content": text}], **fields}
        return client.post(path, json=body, headers=headers)

    return post


@pytest.fixture
def backend():
    return FakeBackend()


@pytest.fixture
def front(backend, logger):
    """Give a function that makes an application with these settings and the fake backend; it is closed at the end."""
    with contextlib.ExitStack() as apps:

        def make(settings):
            app = create_app(settings, backend=backend)
            apps.callback(state(app).start.close)
            return app

        yield make


@pytest.fixture
def fronted(tmp_path, front):
    """Give an application with a fake backend behind it."""
    return front(read_settings(hermetic.environment(tmp_path)))
