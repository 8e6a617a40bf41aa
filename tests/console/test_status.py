"""claude-max-api status and models: what a running server says, and what to do where none runs."""

from __future__ import annotations

import json
import re

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
    "demo": True,
    "uptime_s": 93784.5,
    "captures": 20,
    "kept": {"limit": 4, "idle": 2, "parked": 1},
    "plan": {
        "windows": {
            "five_hour": {
                "used_percent": 42,
                "status": "allowed",
                "resets_at": 1_800_000_000,
                "seen_at": 1_799_990_000,
            },
            "seven_day": {"used_percent": None, "status": None, "resets_at": None, "seen_at": 1_799_990_000},
        },
        "limits": [],
    },
    "limited": "Used up.",
    "processes": {"live": 3, "started": {"request": 1, "spare": 4}, "ended": {"turn_over": 2}},
    "last_errors": [{"at": 1_795_377_600.123, "code": "cli_exited", "route": "/v1/messages"}],
    "novelty": {"a": 1, "b": [2, 3]},
}


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
    assert re.search(r"^demo +answers are canned; no model is asked$", result.output, re.MULTILINE)
    assert re.search(r"^up +1 d 2 h$", result.output, re.MULTILINE)
    assert re.search(r"^keeps +the last 20 requests, with all that is said in them", result.output, re.MULTILINE)
    assert re.search(r"^kept +2 of 4 for a next turn, 1 for tool results$", result.output, re.MULTILINE)
    assert re.search(
        r"^plan +five hour: 42 % used, status allowed, resets \w+ 1\d Jan [^,]+, as of \w+", result.output, re.MULTILINE
    )
    assert re.search(r"^started +request 1, spare 4; 3 live$", result.output, re.MULTILINE)
    assert re.search(r"^ended +turn_over 2$", result.output, re.MULTILINE)
    assert re.search(r"^limited +Used up\.$", result.output, re.MULTILINE)
    assert re.search(
        r"^error +at \w+ 2\d Nov \d\d:\d\d, code cli_exited, route /v1/messages$", result.output, re.MULTILINE
    )
    assert re.search(r"^novelty +a 1, b 2, 3$", result.output, re.MULTILINE)


def test_not_ready(ask, answering):
    """A server that cannot answer says why, and the exit status is 1."""
    told = READY | {"status": "not_ready", "reason": "Run `claude-max-api login`.", "cli": {"found": False}}
    result = ask("status", str(answering({"/ready": (503, told)}).port))
    assert result.exit_code == 1
    assert "is NOT ready: Run `claude-max-api login`." in result.output


def test_json(ask, answering):
    """With --json the server's own words come out, or one object that says that nobody answered."""
    result = ask("status", "--json", str(answering({"/ready": (200, READY | MORE)}).port))
    assert (result.exit_code, json.loads(result.stdout)) == (0, READY | MORE)
    port = free_port()
    result = ask("status", "--json", str(port))
    told = {"status": "no_answer", "reason": f"Nothing answers at http://127.0.0.1:{port}."}
    assert (result.exit_code, json.loads(result.stdout)) == (1, told)


def test_key(ask, answering):
    """The key of the option or the environment is sent as a bearer token; a wrong or missing one gets a sentence."""
    server = answering({"/ready": (200, READY)})
    ask("status", str(server.port), CLAUDE_PROXY_API_KEY="from-env")
    ask("status", str(server.port), "--key", "given", CLAUDE_PROXY_API_KEY="from-env")
    ask("status", str(server.port))
    assert {"Bearer from-env", "Bearer given", None} == set(server.keys)
    locked = str(answering({"/ready": (401, {"error": {"message": "no"}})}).port)
    told = ask("status", locked).output
    assert "asks for a key: set CLAUDE_PROXY_API_KEY" in told
    assert "claude-max-api serve" not in told
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


def test_real_server(serve, console, linux):
    """A real server is known as such and shown."""
    server = serve()
    result = console("status", str(server.port), machine=linux)
    assert "turns    0 of 8 running, 0 waiting" in result.output
    result = console("models", str(server.port), machine=linux)
    assert "claude-opus-4" in result.stdout
    assert result.exit_code == 0
