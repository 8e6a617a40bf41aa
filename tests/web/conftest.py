"""An application over the fake CLI, without a server around it."""

from __future__ import annotations

import logging
from pathlib import Path

import hermetic
import proven
import pytest
from fake_backend import FakeBackend

from app import create_app
from app.claude.cli.proofs import Proofs
from app.config import Settings
from app.web.state import state

FAKE_CLAUDE = Path(__file__).parent.parent / "fake_claude.py"


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
    """Give a function that makes an application with further environment variables; its pool is closed at the end."""
    apps = []

    def make(**env):
        base = {"CLAUDE_BIN": str(FAKE_CLAUDE), "CLAUDE_PROXY_SPARES": "0"}
        Proofs(tmp_path / "state").keep(proven.pretended(FAKE_CLAUDE))
        apps.append(create_app(Settings.from_environ(hermetic.environment(tmp_path, **base, **env))))
        state(apps[-1]).start()
        return apps[-1]

    yield make
    for app in apps:
        pool = state(app).backend
        pool.close()
        pool.supply.keeper._thread.join(10)


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
def fronted(tmp_path, backend, logger):
    """Give an application with a fake backend behind it."""
    return create_app(Settings.from_environ(hermetic.environment(tmp_path)), backend=backend)
