"""Children that are ended whatever a test does, and files that look like a `claude`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hermetic
import proven
import psutil
import pytest
from server import command_of

from app import schema_check
from app.claude.cli.process import Process
from app.claude.cli.proofs import Proofs
from app.claude.shelf.processes import Processes
from app.config_reading import read_settings
from app.models import Catalogue


@pytest.fixture
def spawn(tmp_path):
    """Give a function that starts Python code as a Process; all are closed at the end."""
    started = []

    def start(code, *, with_tools=False):
        process = Process([sys.executable, "-c", code], dict(os.environ), tmp_path, with_tools=with_tools)
        started.append(process)
        return process

    yield start
    for process in started:
        process.close(at_once=True)


@pytest.fixture
def script(tmp_path):
    """Give a function that writes an executable shell script called `claude`."""

    def write(text, name="claude", folder=tmp_path):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def settings(tmp_path):
    """Give a function that reads settings from a hermetic environment."""
    return lambda **env: read_settings({**hermetic.environment(tmp_path), **env})


@pytest.fixture(autouse=True)
def no_child_left():
    """Whatever a test starts has ended with it."""
    before = set(psutil.Process().children())
    yield
    schema_check.close()  # its process serves all
    left = [child for child in psutil.Process().children() if child not in before]
    assert [command_of(child) for child in left if command_of(child)] == []


@pytest.fixture
def fake():
    return Path(__file__).parent.parent / "fake_claude.py"


@pytest.fixture
def processes(settings, fake):
    """Give a function that opens the processes of fake CLIs; they are closed at the end."""
    opened = []

    def make(*, unproven=False, **env):
        given = settings(CLAUDE_BIN=str(fake), **env)
        if not unproven:
            Proofs(given.state_dir).keep(proven.pretended(fake))
        processes = Processes(given, Catalogue(), lambda: 1)
        processes.open()
        opened.append(processes)
        return processes

    yield make
    for one in opened:
        one.close()
