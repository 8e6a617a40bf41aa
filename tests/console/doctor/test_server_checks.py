"""claude-max-api doctor: each cause is named when it is made to happen, with what mends it."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from app.address import LOOPBACK, listened
from app.config_reading import Reading
from app.console.doctor import CHECKS, server_checks
from app.console.doctor.case import Case
from app.console.doctor.finding import passed
from app.console.machine import Machine
from console.conftest import failures

# Where the CLI does not matter: it takes most of the time.
NO_CLI = {"CLAUDE_BIN": "/no/such/claude"}


def test_all_is_well(doctor):
    """Where nothing is wrong nothing fails."""
    found = doctor()
    assert failures(found) == set()
    assert found["version"] == ("pass", "2.1.330", None)
    assert found["login"] == ("pass", "logged in (fake)", None)


def test_port_taken(doctor, monkeypatch):
    """A port that another program has is named, with the command that says which one, and another port."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        # It takes the connection and says nothing.
        monkeypatch.setattr("app.console.running_server.HEALTH_TIMEOUT_SECONDS", 0.2)
        found, on_both = doctor(str(port), HOST="127.0.0.1"), doctor(str(port))
    assert failures(found) == failures(on_both) == {"port"}
    assert found["port"][1] == f"port {port} is taken by another program"
    if listened("localhost") == LOOPBACK:
        assert on_both["port"][1] == f"port {port} is taken on 127.0.0.1, though not on ::1"
    assert f"claude-max-api serve {port + 1}" in found["port"][2]
    assert f"lsof -nP -iTCP:{port}" in found["port"][2]


def test_port_of_another_web_server(doctor, answering):
    """Another program that speaks HTTP is not taken for this server."""
    port = answering({"/health": (200, {"status": "ok"})}, ours=False).port
    assert failures(doctor(str(port), **NO_CLI)) == {"port", "claude"}


def test_demo_server(doctor, answering):
    """A demo that runs on the port is told from a server."""
    port = answering({"/ready": (200, {"status": "ready", "reason": None, "demo": True})}).port
    verdict, text, remedy = doctor(str(port), **NO_CLI)["port"]
    assert (verdict, remedy) == ("warn", "serve without --demo")
    assert "the demo answers" in text


def test_own_server(doctor, answering):
    """This server on the port is told from others, and asked whether it is ready, with the key."""
    server = answering({"/ready": (200, {"status": "ready"})})
    verdict, text, _ = doctor(str(server.port), "--key", "secret", **NO_CLI)["port"]
    assert verdict == "pass"
    assert f"this server answers at http://127.0.0.1:{server.port}/v1" in text
    assert "Bearer secret" in server.keys
    sick = answering({"/ready": (503, {"status": "not_ready", "reason": "Out of luck."})})
    assert doctor(str(sick.port), **NO_CLI)["port"][:2] == (
        "warn",
        f"this server answers at http://127.0.0.1:{sick.port}/v1, but is not ready: Out of luck.",
    )
    locked = answering({"/ready": (401, {"error": {}})})
    verdict, text, _ = doctor(str(locked.port), **NO_CLI)["port"]
    assert verdict == "warn"
    assert "asks for a key" in text


def test_unwritable_state_folder(doctor, home):
    """A state folder that cannot be used is named, whatever the reason."""
    (home / "file").touch()
    for folder in (home / "file", home / "file" / "state"):
        found = doctor(CLAUDE_PROXY_STATE_DIR=str(folder), **NO_CLI)
        assert failures(found) == {"state folder", "claude"}
        assert str(folder) in found["state folder"][1]
        assert "CLAUDE_PROXY_STATE_DIR" in found["state folder"][2]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_state_folder_of_others(doctor, home):
    """A folder without leave to write is named."""
    (home / "state").mkdir(mode=0o500)
    assert failures(doctor(**NO_CLI)) == {"state folder", "claude"}


def test_read_only_file_system(doctor):
    """A file system that takes no files is found out, also by root."""
    if not Path("/proc/self").is_dir():
        pytest.skip("no /proc here")
    assert failures(doctor(CLAUDE_PROXY_STATE_DIR="/proc/self/state", **NO_CLI)) == {"state folder", "claude"}


def test_state_folder_is_left_alone(doctor, home):
    """The doctor makes no folder and changes none; one that is open to others is warned of."""
    assert doctor(**NO_CLI)["state folder"][0] == "pass"
    assert not (home / "state").exists()
    (home / "state").mkdir()
    (home / "state").chmod(0o755)
    verdict, _, remedy = doctor(**NO_CLI)["state folder"]
    assert (verdict, remedy) == ("warn", f"chmod 700 {home / 'state'}")
    assert (home / "state").stat().st_mode & 0o777 == 0o755
    (home / "state").chmod(0o700)
    assert doctor(**NO_CLI)["state folder"][0] == "pass"


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"]
)
def test_ambient_bill(doctor, name):
    """A variable that would bill the API is named, not shown, kept from the CLI, and no failure for that."""
    # The base URL that keeps the tests on loopback is reported first; without CLI starts none is needed.
    found = doctor(CLAUDE_BIN="/no/such/claude", CLAUDE_PROXY_PASS_ENV="", ANTHROPIC_BASE_URL="", **{name: "sk-secret"})
    verdict, text, remedy = found["environment"]
    assert (verdict, remedy) == ("warn", f"unset {name}")
    assert text.startswith(f"{name} is set: this server keeps it from claude")
    assert "sk-secret" not in json.dumps(found)


def test_ambient_key_reaches_no_cli(doctor):
    """With an ambient key all the checks that start the CLI still pass, and tests.hermetic sees that none has it."""
    found = doctor(ANTHROPIC_API_KEY="sk-secret")
    assert failures(found) == set()
    # Also where something else is to be said.
    assert "ANTHROPIC_API_KEY is set" in found["environment"][1]
    assert found["start"][0] == "pass"


def test_bill_by_one_s_own_hand(doctor):
    """What CLAUDE_PROXY_PASS_ENV hands on is a failure where it is billed, and a warning where it leads elsewhere."""
    found = doctor(
        CLAUDE_BIN="/no/such/claude", CLAUDE_PROXY_PASS_ENV="ANTHROPIC_API_KEY", ANTHROPIC_API_KEY="sk-secret"
    )
    assert found["environment"][::2] == (
        "fail",
        "take ANTHROPIC_API_KEY out of CLAUDE_PROXY_PASS_ENV, unless you mean it; unset ANTHROPIC_BASE_URL",
    )
    verdict, text, _ = doctor(CLAUDE_BIN="/no/such/claude")["environment"]
    assert verdict == "warn"
    assert "hands ANTHROPIC_BASE_URL to claude" in text


def test_clean_environment(environment, linux, monkeypatch):
    """Nothing is said where nothing would be billed; a switch that is off is nothing."""
    given = environment(CLAUDE_PROXY_PASS_ENV="", ANTHROPIC_BASE_URL="", CLAUDE_CODE_USE_BEDROCK="0")
    monkeypatch.setattr(type(linux), "environ", given)
    case = Case(linux, Reading.of(given), None)
    assert server_checks.environment(case) == passed("nothing in it would bill the API instead of your plan")


def test_broken_settings(doctor):
    """Every setting that cannot be used is named, and the rest is looked at with the other settings."""
    found = doctor(CLAUDE_PROXY_TIMEOUT="soon", HOST="0.0.0.0", CLAUDE_PROXY_SPARES="many")
    assert failures(found) == {"settings"}
    for name in ("CLAUDE_PROXY_TIMEOUT=soon", "HOST=0.0.0.0", "CLAUDE_PROXY_SPARES=many"):
        assert name in found["settings"][1]
    assert {"CLAUDE_PROXY_TIMEOUT", "HOST", "CLAUDE_PROXY_SPARES"} <= set(found["settings"][2].split())
    assert found["version"][0] == "pass"


def test_misspelt_setting(doctor):
    """A setting that there is not has no effect, so it is named, with the one that is meant."""
    verdict, text, remedy = doctor(CLAUDE_PROXY_SPARE="2", **NO_CLI)["settings"]
    assert (verdict, remedy) == ("warn", "correct, or unset CLAUDE_PROXY_SPARE")
    assert "did you mean CLAUDE_PROXY_SPARES?" in text
    assert doctor(CLAUDE_PROXY_API_KEY="k", **NO_CLI)["settings"][0] == "pass"


def test_service(doctor, linux, home):
    """A service that is installed but does not run, or whose program is gone, is named."""
    unit = home / ".config/systemd/user/claude-max-proxy.service"
    unit.parent.mkdir(parents=True)
    unit.write_text('ExecStart="/gone/bin/claude-max-api" serve 3456\n')
    found = doctor(**NO_CLI)
    assert failures(found) == {"service", "claude"}
    assert found["service"][1] == "it starts /gone/bin/claude-max-api, which is gone"
    assert found["service"][2] == "claude-max-api service install"
    program = home / "claude-max-api"
    program.touch()
    unit.write_text(f'ExecStart="{program}" serve 3456\n')
    verdict, text, remedy = doctor(**NO_CLI)["service"]
    assert (verdict, text) == ("warn", "installed, not running (inactive)")
    assert remedy.startswith("claude-max-api service start")
    linux.answers["systemctl --user show"] = [(1, "Failed to connect to bus: No medium found")]
    verdict, text, remedy = doctor(**NO_CLI)["service"]
    assert verdict == "warn"
    assert "Failed to connect to bus" in text
    assert "There is no systemd session of ann" in remedy
    linux.answers["systemctl --user show"] = [(0, "LoadState=loaded\nActiveState=active\nMainPID=77\nResult=success")]
    assert doctor(**NO_CLI)["service"] == ("pass", "installed, running, pid 77", None)


def test_service_finds_less(doctor, linux, home, script):
    """What the service would miss with its own environment is told, whatever this shell finds."""
    unit = home / ".config/systemd/user/claude-max-proxy.service"
    unit.parent.mkdir(parents=True)
    program = home / "claude-max-api"
    program.write_text("#!/gone/python3.11\n")
    unit.write_text(f'ExecStart="{program}" serve 3456\n')
    assert doctor(**NO_CLI)["service"][:2] == ("fail", f"it starts {program}, whose Python is gone: /gone/python3.11")
    program.write_text("#!/bin/sh\n")
    gone = home / "nvm" / "claude"
    unit.write_text(f'ExecStart="{program}" serve 3456\nEnvironment="CLAUDE_BIN={gone}"\nEnvironment="PATH=/usr/bin"\n')
    verdict, text, remedy = doctor(**NO_CLI)["service"]
    assert verdict == "fail"
    assert text.startswith(f"with the service's own environment: CLAUDE_BIN={gone}")
    assert remedy.startswith("claude-max-api service install")
    unit.write_text(f'ExecStart="{program}" serve 3456\nEnvironment="PATH={Path(script("true")).parent}:/usr/bin"\n')
    assert doctor(**NO_CLI)["service"][0] == "warn"


def test_broken_check(doctor, monkeypatch):
    """A check that fails in a way nobody foresaw is a failure, and the later ones are looked at."""

    def broken(case):
        raise RuntimeError("unforeseen")

    monkeypatch.setitem(CHECKS, "settings", broken)
    found = doctor(**NO_CLI)
    assert failures(found) == {"settings", "claude"}
    assert "unforeseen" in found["settings"][1]


def test_text(console, linux):
    """The report for people has a line for each check, the remedy below it whole, no colour in a file, and a sum."""
    result = console("doctor", machine=linux, CLAUDE_BIN="/no/such/claude")
    lines = result.output.splitlines()
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    (place,) = [number for number, line in enumerate(lines) if line.startswith("fail  claude")]
    assert "                    -> unset CLAUDE_BIN" in lines[place:]
    assert lines[-1].startswith(f"1 of {len(CHECKS)} checks failed")
    assert all(len(line) <= 100 for line in lines if "->" not in line and "/" not in line)
    assert (
        console("doctor", machine=linux, FAKE_VERSION="2.1.330").output.splitlines()[-1].startswith("It works. 1 thing")
    )


def test_real_machine():
    """On a real machine the commands that are asked exist or are said to be missing."""
    machine = Machine()
    assert machine.run(["/no/such/program"]).code == 127
    assert machine.run([shutil.which("sh") or "sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\nerr")


def test_captures(doctor, home):
    """Requests that are kept with what is said in them are told, those of before as well."""
    assert doctor(**NO_CLI)["captures"][0] == "pass"
    assert doctor(**NO_CLI, CLAUDE_PROXY_RECORD="3")["captures"][0] == "warn"
    (home / "state" / "captures").mkdir(parents=True)
    (home / "state" / "captures" / "1-req_a.jsonl").touch()
    assert doctor(**NO_CLI)["captures"][0::2] == ("warn", "claude-max-api report --clear")


def test_tools(doctor):
    """Who may use Claude Code's tools is said: nobody, everybody with a warning, or keys, with the missing ones."""
    assert doctor(**NO_CLI)["tools"][:2] == (
        "pass",
        "Claude Code's own are off: no client can run anything here (CLAUDE_PROXY_TOOLS)",
    )
    given = {**NO_CLI, "CLAUDE_PROXY_TOOLS": "all", "CLAUDE_PROXY_API_KEYS": f"claw:{'c' * 30}"}
    verdict, text, remedy = doctor(**given, CLAUDE_PROXY_TOOLS_FOR="anyone")["tools"]
    assert (verdict, "whoever has an API key" in text, "CLAUDE_PROXY_TOOLS_FOR" in remedy) == ("warn", True, True)
    assert doctor(**given, CLAUDE_PROXY_TOOLS_FOR="claw,pad")["tools"][2] == "claude-max-api key add pad"
    assert doctor(**given, CLAUDE_PROXY_TOOLS_FOR="claw")["tools"][0] == "pass"
    assert "needs CLAUDE_PROXY_TOOLS_FOR" in doctor(**given)["settings"][1]
