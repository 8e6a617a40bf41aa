"""claude-max-api service: what fails is said in a sentence, with a remedy, and leaves nothing behind."""

from __future__ import annotations

import socket

import pytest
from server import free_port

from .units import NO_BUS, changes, installed, only_files


@pytest.mark.parametrize("command", ["install", "start", "stop", "restart", "status", "uninstall"])
def test_no_session(service, linux, command):
    """Where systemd has no session for the user, one sentence says so and what to do, and nothing is written."""
    if command in {"start", "stop", "restart", "uninstall"}:
        installed(linux)
    files = only_files(linux.home)
    linux.answers["systemctl --user show"] = [NO_BUS]
    result = service(linux, command)
    assert result.exit_code == 1
    assert "There is no systemd session of ann here" in result.output
    assert "loginctl enable-linger ann" in result.output
    assert changes(linux) == []
    assert only_files(linux.home) == files


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_dry_run_without_a_session(service, linux, command):
    """A dry run shows what would be done, and says that it could not be done here."""
    linux.answers["systemctl --user show"] = [NO_BUS]
    result = service(linux, command, "--dry-run")
    assert result.exit_code == 0
    assert "systemctl --user" in result.stdout
    assert "There is no systemd session of ann here" in result.stderr


def test_port_taken(service, linux):
    """A service that could only fail for ever is not installed."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = service(linux, "install", PORT=str(port))
    assert result.exit_code == 1
    assert f"`PORT={port + 1} claude-max-api service install`" in result.output
    assert changes(linux) == []


def test_broken_setting(service, linux):
    """What `serve` would refuse is refused here, before anything is written."""
    result = service(linux, "install", CLAUDE_PROXY_TIMEOUT="soon")
    assert result.exit_code == 1
    assert "CLAUDE_PROXY_TIMEOUT=soon" in result.output
    assert only_files(linux.home) == set()


@pytest.mark.parametrize("folder", ["Documents", "Desktop", "Downloads"])
def test_guarded_folder(service, mac, home, monkeypatch, folder):
    """What macOS lets no service read is refused before anything is written, with a place to go to; Linux has none."""
    program = home / folder / "proxy" / "bin" / "claude-max-api"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(program)])
    result = service(mac, "install")
    assert result.exit_code == 1
    assert f"lies in {home / folder}, which macOS" in result.output
    assert changes(mac) == []
    assert only_files(home) == set()


@pytest.mark.parametrize("which", ["linux", "mac"])
def test_logs_of_no_service(service, request, which):
    """A service that is not installed has no log."""
    machine = request.getfixturevalue(which)
    result = service(machine, "logs")
    assert result.exit_code == 1
    assert "claude-max-api service install" in result.output


def test_other_systems(service, linux):
    """Elsewhere it says what to do instead."""
    linux.platform = "freebsd14"
    assert "claude-max-api serve" in service(linux, "install").output


def test_real_machine_without_a_session(service):
    """The real commands of a machine without a user session end in a sentence, not in a traceback."""
    result = service(None, "start", PORT=str(free_port()), XDG_RUNTIME_DIR="/nonexistent")
    assert result.exit_code == 1
    assert "`" in result.output
    assert "Traceback" not in result.output
