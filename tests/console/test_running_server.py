"""A port answers as this server, as another program, or not at all."""

from __future__ import annotations

import socket
import time

import pytest


def test_nobody(ask):
    """Where nothing answers, one hears how to start a server."""
    result = ask("status")
    assert result.exit_code == 1
    assert "Nothing answers at http://127.0.0.1:" in result.output
    assert "claude-max-api serve" in result.output


@pytest.mark.parametrize(
    "answers",
    [{}, {"/ready": (200, {"status": "ready"})}, {"/ready": (200, b"<html>")}, {"/health": (200, ["claude-code-cli"])}],
)
def test_another_program(ask, answering, answers):
    """Another program on the port is not taken for this server."""
    result = ask("status", str(answering(answers, ours=False).port))
    assert result.exit_code == 1
    assert "is not this server" in result.output


def test_silent_port(ask, monkeypatch):
    """A port that takes a connection and says nothing is given up within seconds, and is said to be silent."""
    monkeypatch.setattr("app.console.running_server.HEALTH_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        result = ask("status", str(silent.getsockname()[1]))
    assert time.monotonic() - began < 3
    assert result.exit_code == 1
    assert "has been silent for" in result.output
