"""claude-max-api status and models: what a running server says, and what to do where none runs."""

from __future__ import annotations

import json
import re
import socket
import time

import pytest
from server import free_port

READY = {
    "status": "ready",
    "reason": None,
    "cli": {"found": True, "path": "/bin/claude", "version": "2.1.330"},
    "login": "verified",
    "slots": {"limit": 8, "running": 1, "waiting": 2},
    "spares": {"wanted": 3, "ready": 2},
}
MORE = {
    "uptime_s": 93784.5,
    "kept": {"limit": 4, "idle": 2, "parked": 1},
    "plan": {"five_hour": {"utilization": 0.42, "status": "allowed", "resets_at": 1_800_000_000}, "seven_day": None},
    "limited": "Used up.",
    "processes": {"live": 3, "started": {"request": 1, "spare": 4}, "ended": {"turn_over": 2}},
    "last_errors": [{"at": "2026-11-22T20:00:00Z", "code": "cli_exited", "message": "It ended."}],
    "novelty": {"a": 1, "b": [2, 3]},
}
LIST = {
    "object": "list",
    "data": [
        {"id": "claude-sonnet-4", "object": "model"},
        {"id": "claude-opus-5-5", "object": "model", "name": "Opus", "description": "For hard tasks"},
    ],
}


@pytest.fixture
def ask(console, linux):
    """Give a function that runs a command against a port."""
    return lambda *args, **env: console(*args, machine=linux, **env)


def test_status(ask, answering):
    """Each thing the server tells has its line, and those of an older server do not fail for what it lacks."""
    result = ask("status", str(answering({"/ready": (200, READY)}).port))
    assert result.exit_code == 0
    assert re.search(r"^server +http://127\.0\.0\.1:\d+/v1 is ready$", result.output, re.MULTILINE)
    assert re.search(r"^claude +2\.1\.330 at /bin/claude, login verified$", result.output, re.MULTILINE)
    assert re.search(r"^turns +1 of 8 running, 2 waiting$", result.output, re.MULTILINE)
    assert re.search(r"^spares +2 of 3 ready$", result.output, re.MULTILINE)
    assert len(result.output.splitlines()) == 4


def test_everything(ask, answering):
    """Uptime, kept processes, plan windows and last errors are shown where they are told, and unknown fields too."""
    result = ask("status", str(answering({"/ready": (200, READY | MORE)}).port))
    assert re.search(r"^up +1 d 2 h$", result.output, re.MULTILINE)
    assert re.search(r"^kept +2 of 4 for a next turn, 1 for tool results$", result.output, re.MULTILINE)
    assert re.search(r"^plan +five hour: 42 % used, status allowed, resets \w+ 1\d Jan", result.output, re.MULTILINE)
    assert re.search(r"^started +request 1, spare 4; 3 live$", result.output, re.MULTILINE)
    assert re.search(r"^ended +turn_over 2$", result.output, re.MULTILINE)
    assert re.search(r"^limited +Used up\.$", result.output, re.MULTILINE)
    assert re.search(
        r"^error +at \w+ 2\d Nov \d\d:\d\d, code cli_exited, message It ended\.$", result.output, re.MULTILINE
    )
    assert re.search(r"^novelty +a 1, b 2, 3$", result.output, re.MULTILINE)


@pytest.mark.parametrize(
    "plan",
    [
        {"windows": [{"type": "five_hour", "used_percent": 42, "resets_at": "2026-11-22T20:00:00Z"}]},
        {"windows": {"five_hour": {"percent": 42, "resets_at": "soon"}}},
        [{"name": "five_hour", "utilization": 0.42}],
        {"five_hour": {"utilization": 0.42, "resets_at": 1e300}},
    ],
)
def test_forms_of_a_plan(ask, answering, plan):
    """The plan's windows are shown in whichever form they come."""
    result = ask("status", str(answering({"/ready": (200, READY | {"plan": plan})}).port))
    assert re.search(r"^plan +five hour: 42 % used", result.output, re.MULTILINE)


def test_not_ready(ask, answering):
    """A server that cannot answer says why, and the exit status is 1."""
    told = READY | {"status": "not_ready", "reason": "Run `claude auth login`.", "cli": {"found": False}}
    result = ask("status", str(answering({"/ready": (503, told)}).port))
    assert result.exit_code == 1
    assert "is NOT ready: Run `claude auth login`." in result.output


def test_json(ask, answering):
    """With --json the server's own words come out, or one object that says that nobody answered."""
    result = ask("status", "--json", str(answering({"/ready": (200, READY | MORE)}).port))
    assert (result.exit_code, json.loads(result.stdout)) == (0, READY | MORE)
    port = free_port()
    result = ask("status", "--json", str(port))
    told = {"status": "no_answer", "reason": f"Nothing answers at http://127.0.0.1:{port}."}
    assert (result.exit_code, json.loads(result.stdout)) == (1, told)


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


def test_key(ask, answering):
    """The key of the option or the environment is sent as a bearer token; a wrong or missing one gets a sentence."""
    server = answering({"/ready": (200, READY)})
    ask("status", str(server.port), CLAUDE_PROXY_API_KEY="from-env")
    ask("status", str(server.port), "--key", "given", CLAUDE_PROXY_API_KEY="from-env")
    ask("status", str(server.port))
    assert {"Bearer from-env", "Bearer given", None} == set(server.keys)
    locked = str(answering({"/ready": (401, {"error": {"message": "no"}})}).port)
    assert "asks for a key: set CLAUDE_PROXY_API_KEY" in ask("status", locked).output
    assert "refuses this key" in ask("status", locked, "--key", "wrong").output


def test_port_of_the_service(ask, answering, home):
    """Without a port the installed service's is meant, unless PORT says otherwise."""
    unit = home / ".config/systemd/user/claude-max-proxy.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(f'ExecStart="/bin/claude-max-api" serve {answering({"/ready": (200, READY)}).port}\n')
    assert ask("status", PORT="").exit_code == 0
    assert ask("status", PORT=str(free_port())).exit_code == 1


def test_broken_setting(ask):
    """A setting that cannot be used is named."""
    assert "PORT=http" in ask("status", PORT="http").output


def test_models_of_the_server(ask, answering):
    """The running server's list is shown, with what it says of each model."""
    port = str(answering({"/v1/models": (200, LIST)}).port)
    result = ask("models", port)
    assert result.stdout.splitlines() == ["claude-sonnet-4", "claude-opus-5-5  Opus - For hard tasks"]
    assert f"the server at http://127.0.0.1:{port}" in result.stderr
    assert json.loads(ask("models", "--json", port).stdout) == LIST


def test_models_of_the_cli(console, linux, claude, standin):
    """Where no server runs, the CLI is started and asked, without any API request."""
    result = console("models", "--json", machine=linux, CLAUDE_BIN=str(claude), ANTHROPIC_BASE_URL=standin.url)
    names = [entry["id"] for entry in json.loads(result.stdout)["data"]]
    assert {"claude-opus-4", "claude-sonnet-4", "claude-haiku-4"} < set(names)
    assert standin.messages == []


def test_models_of_nobody(ask):
    """Where there is no CLI either, one hears what to do."""
    result = ask("models", CLAUDE_BIN="/no/such/claude")
    assert result.exit_code == 1
    assert "CLAUDE_BIN=/no/such/claude is not an executable" in result.output
    assert "claude-max-api doctor" in result.output


def test_real_server(serve, console, linux):
    """A real server is known as such and shown."""
    server = serve()
    result = console("status", str(server.port), machine=linux)
    assert "turns    0 of 8 running, 0 waiting" in result.output
    result = console("models", str(server.port), machine=linux)
    assert "claude-opus-4" in result.stdout
    assert result.exit_code == 0


def test_silent_port(ask, monkeypatch):
    """A port that takes a connection and says nothing is given up within seconds, and is said to be silent."""
    monkeypatch.setattr("app.console.running_server.HEALTH_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        result = ask("status", str(silent.getsockname()[1]))
    assert time.monotonic() - began < 3
    assert result.exit_code == 1
    assert "has been silent for" in result.output
