"""claude-max-api service: the right commands in the right order, and a remedy where one fails."""

from __future__ import annotations

import json
import plistlib
import re
from pathlib import Path

import pytest

from .units import AGENT, LOADED, NOT_LOADED, RUNNING, UNIT, agent_file, changes, installed, only_files, unit_file

DOCS = (Path(__file__).parent.parent.parent.parent / "app" / "docs" / "operations.md").read_text()


@pytest.fixture
def at(answering):
    """The port of a server of ours that answers, as a string."""
    return str(answering().port)


def test_upgrade_on_linux(service, linux, home, at):
    """The unit is written for this user alone, loaded, enabled and started anew, and then the server is awaited."""
    linux.answers["systemctl --user show"] = [RUNNING]
    result = service(linux, "install", PORT=at)
    assert result.exit_code == 0, result.output
    assert changes(linux) == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {UNIT}",
        f"systemctl --user restart {UNIT}",
    ]
    assert unit_file(home).stat().st_mode & 0o777 == 0o600
    assert f"http://127.0.0.1:{at}/v1" in result.output


def test_first_install_on_linux(service, linux):
    """A first install starts it once, and says so if it does not answer."""
    result = service(linux, "install")
    assert changes(linux) == ["systemctl --user daemon-reload", f"systemctl --user enable --now {UNIT}"]
    assert result.exit_code == 1
    assert "does not answer" in result.output
    assert "service logs" in result.output


def test_install_on_mac(service, mac, home):
    """The agent is written for this user alone and loaded, which starts it."""
    service(mac, "install")
    assert changes(mac) == [f"launchctl enable {AGENT}", f"launchctl bootstrap gui/501 {agent_file(home)}"]
    assert agent_file(home).stat().st_mode & 0o777 == 0o600
    assert plistlib.loads(agent_file(home).read_bytes())["Label"] == "com.openclaw.claude-max-proxy"


def test_upgrade_on_mac(service, mac, home, at):
    """An agent that runs goes first; the new one is loaded only when launchd has let go of the old."""
    installed(mac)
    mac.answers = {"launchctl print": [LOADED, LOADED, LOADED, NOT_LOADED]}
    result = service(mac, "install", PORT=at)
    bootout, bootstrap = f"launchctl bootout {AGENT}", f"launchctl bootstrap gui/501 {agent_file(home)}"
    ask = f"launchctl print {AGENT}"
    assert mac.calls == [ask, bootout, ask, ask, ask, f"launchctl enable {AGENT}", bootstrap]
    assert f"Replaced {agent_file(home)}" in result.output
    assert plistlib.loads(agent_file(home).read_bytes())["ProgramArguments"][1:] == ["serve", at]


def test_upgrade_says_what_is_lost(service, linux, at):
    """A setting that the old service has and this environment lacks is named."""
    installed(linux)
    linux.answers["systemctl --user show"] = [RUNNING]
    assert "No longer set, as this environment lacks them: LOG_LEVEL" in service(linux, "install", PORT=at).output
    assert "No longer set" not in service(linux, "install", PORT=at, LOG_LEVEL="INFO").output


@pytest.mark.parametrize("which", ["linux", "mac"])
@pytest.mark.parametrize("before", [False, True])
def test_dry_run(service, request, which, before):
    """It shows the file and the very commands of an install, runs none and writes nothing; so does an uninstall."""
    machine = request.getfixturevalue(which)
    if before:
        installed(machine)
    files = only_files(machine.home)
    shown = service(machine, "install", "--dry-run", CLAUDE_PROXY_SPARES="3")
    shown_end = service(machine, "uninstall", "--dry-run")
    assert (shown.exit_code, shown_end.exit_code) == (0, 0)
    assert changes(machine) == []
    assert only_files(machine.home) == files
    assert "CLAUDE_PROXY_SPARES" in shown.output
    machine.calls.clear()
    service(machine, "install")
    assert changes(machine) == re.findall(r"^run   (.*?)(?:   \(.*)?$", shown.output, re.MULTILINE)
    machine.calls.clear()
    service(machine, "uninstall")
    assert changes(machine) == re.findall(r"^run   (.*?)(?:   \(.*)?$", shown_end.output, re.MULTILINE)


@pytest.mark.parametrize("which", ["linux", "mac"])
def test_uninstall_leaves_nothing(service, request, which, home):
    """After it, nothing of the service is on the disk: neither file nor log."""
    machine = request.getfixturevalue(which)
    service(machine, "install")
    (home / "Library/Logs").mkdir(parents=True)
    (home / "Library/Logs/claude-max-proxy.log").touch()
    assert service(machine, "uninstall").exit_code == 0
    left = {path for path in only_files(home) if path.name != "claude-max-proxy.log" or which == "mac"}
    assert left == set()
    machine.calls.clear()
    assert "not installed" in service(machine, "uninstall").output
    assert changes(machine) == []


@pytest.mark.parametrize(
    ("command", "told", "calls"),
    [
        ("start", NOT_LOADED, [f"launchctl enable {AGENT}", "launchctl bootstrap gui/501 FILE"]),
        ("start", LOADED, [f"launchctl kickstart {AGENT}"]),
        ("restart", NOT_LOADED, [f"launchctl enable {AGENT}", "launchctl bootstrap gui/501 FILE"]),
        ("restart", LOADED, [f"launchctl kickstart -k {AGENT}"]),
        ("stop", NOT_LOADED, [f"launchctl bootout {AGENT}"]),
    ],
)
def test_mac_commands(service, mac, command, told, calls):
    """What is loaded is kicked, what is not is loaded."""
    installed(mac)
    mac.answers = {"launchctl print": [told]}
    service(mac, command)
    assert changes(mac) == [call.replace("FILE", str(agent_file(mac.home))) for call in calls]


@pytest.mark.parametrize("command", ["start", "stop", "restart"])
def test_linux_commands(service, linux, command):
    """Each is systemctl's own."""
    installed(linux)
    service(linux, command)
    assert changes(linux) == [f"systemctl --user {command} {UNIT}"]


@pytest.mark.parametrize("command", ["start", "stop", "restart"])
@pytest.mark.parametrize("which", ["linux", "mac"])
def test_not_installed(service, request, which, command):
    """Nothing is run for a service that is not there, and the remedy is named."""
    machine = request.getfixturevalue(which)
    result = service(machine, command)
    assert result.exit_code == 1
    assert "claude-max-api service install" in result.output
    assert changes(machine) == []


def test_status(service, linux, answering):
    """It says whether it runs and answers, where the installed service does, and so does the exit status."""
    result = service(linux, "status")
    assert (result.exit_code, "not installed" in result.output) == (1, True)
    installed(linux)
    port = answering().port
    unit_file(linux.home).write_text(f'ExecStart="/bin/claude-max-api" serve {port}\n')
    result = service(linux, "status", PORT="1")
    assert (result.exit_code, "installed, not running (inactive)" in result.output) == (1, True)
    linux.answers["systemctl --user show"] = [RUNNING]
    result = service(linux, "status", PORT="1")
    assert result.exit_code == 0
    assert "running, pid 77" in result.output
    assert f"http://127.0.0.1:{port}: answers" in result.output


def test_status_for_programs(service, linux, answering):
    """The same as JSON, with the same exit status."""
    installed(linux)
    port = answering().port
    unit_file(linux.home).write_text(f'ExecStart="/bin/claude-max-api" serve {port}\n')
    linux.answers["systemctl --user show"] = [RUNNING]
    result = service(linux, "status", "--json")
    told = json.loads(result.stdout)
    assert (told["installed"], told["pid"], told["answers"], result.exit_code) == (True, 77, True, 0)
    linux.answers["systemctl --user show"] = [(0, "LoadState=loaded\nActiveState=inactive\nMainPID=0")]
    result = service(linux, "status", "--json")
    assert (json.loads(result.stdout)["pid"], result.exit_code) == (None, 1)


@pytest.mark.parametrize("system", ["linux", "mac"])
def test_status_of_what_is_gone(service, request, home, system):
    """A venv whose Python is gone, or that is gone itself, is told, with what mends it: the next start would fail."""
    machine = request.getfixturevalue(system)
    installed(machine)
    program = home / "venv/bin/claude-max-api"
    program.parent.mkdir(parents=True)
    unit_file(home).write_text(f'ExecStart="{program}" serve 3457\n')
    agent_file(home).write_text(f"<string>{program}</string><string>serve</string><string>3457</string>")
    result = service(machine, "status")
    assert f"it starts {program}, which is gone; `claude-max-api service install`" in result.stderr
    program.write_text("#!/gone/python3.11\n")
    told = json.loads(service(machine, "status", "--json").stdout)
    assert told["missing"] == f"it starts {program}, whose Python is gone: /gone/python3.11"
    program.write_text("#!/bin/sh\n")
    assert json.loads(service(machine, "status", "--json").stdout)["missing"] is None


def test_status_without_a_session(service, linux):
    """Programs get JSON also where systemd has no session, with the reason."""
    linux.answers["systemctl --user show"] = [(1, "Failed to connect to bus: No medium found")]
    result = service(linux, "status", "--json")
    assert (result.exit_code, json.loads(result.stdout)["installed"]) == (1, False)
    assert "no systemd session" in json.loads(result.stdout)["problem"]


def test_port_of_an_agent(service, mac, answering):
    """The port is found in a property list too."""
    port = str(answering().port)
    mac.answers = {"launchctl print": [LOADED, NOT_LOADED, LOADED]}
    service(mac, "install", PORT=port)
    assert f"http://127.0.0.1:{port}: answers" in service(mac, "status", PORT="1").output


@pytest.mark.parametrize(
    ("which", "args", "argv"),
    [
        ("linux", (), f"journalctl --user --unit={UNIT} --lines=200 --no-pager --output=cat"),
        ("linux", ("-f",), f"journalctl --user --unit={UNIT} --lines=200 --no-pager --output=cat -f"),
        ("mac", (), "tail -n 200 HOME/Library/Logs/claude-max-proxy.log"),
        ("mac", ("--follow",), "tail -n 200 -F HOME/Library/Logs/claude-max-proxy.log"),
    ],
)
def test_logs(service, request, which, args, argv):
    """The system's own program shows the log as it was written, or its lines are made readable."""
    machine = request.getfixturevalue(which)
    installed(machine)
    machine.said = [
        '{"ts": "2026-11-26T10:00:00.000Z", "level": "INFO", "logger": "app", "message": "on", "ms": 5}',
        "x",
    ]
    service(machine, "logs", "--json", *args)
    assert " ".join(machine.became) == argv.replace("HOME", str(machine.home))
    shown = service(machine, "logs", *args)
    assert machine.calls[-1] == argv.replace("HOME", str(machine.home))
    assert re.fullmatch(r"2026-11-2. [0-9:]{8} INFO app on ms=5\nx\n", shown.stdout)


def test_linger(service, linux, at):
    """Where the service would end at the logout, the output names the command against it."""
    linux.answers["systemctl --user show"] = [RUNNING]
    assert "enable-linger" not in service(linux, "install", PORT=at).output
    linux.answers["loginctl"] = [(0, "Linger=no")]
    assert "`loginctl enable-linger ann`" in service(linux, "install", PORT=at).output


@pytest.fixture
def launchctl_calls(service, mac):
    """Every launchctl call of every command, whatever the state of the service."""
    for told in (NOT_LOADED, LOADED):
        for command in ("install", "start", "restart", "status", "stop", "install", "uninstall"):
            mac.answers = {"launchctl print": [told, NOT_LOADED]}
            service(mac, command)
    return {call.replace(str(mac.home), "~").replace("gui/501", "gui/$(id -u)") for call in mac.calls}


def launchctl_calls_of_readme():
    return set(re.findall(r"launchctl [^`\n]*gui/[^`\n]*", DOCS.replace("\\\n", "")))


def test_readme_has_no_other_launchctl_call(launchctl_calls):
    """Whoever types the documented calls does what the command does."""
    assert launchctl_calls_of_readme() <= launchctl_calls


def test_readme_has_every_launchctl_call(launchctl_calls):
    """The document hides no call that the command makes."""
    assert launchctl_calls == launchctl_calls_of_readme()


def test_log_of_a_mac_is_bounded(service, mac):
    """On a Mac the server knows its log's file, to keep it from growing; a new installation drops nothing of that."""
    log = mac.home / "Library" / "Logs" / "claude-max-proxy.log"
    shown = service(mac, "install", "--dry-run").output
    assert "<key>LOG_FILE</key>" in shown
    agent = mac.home / "Library" / "LaunchAgents" / "com.openclaw.claude-max-proxy.plist"
    agent.parent.mkdir(parents=True)
    agent.write_text(f"<key>LOG_FILE</key><string>{log}</string><key>LOG_LEVEL</key><string>DEBUG</string>")
    again = service(mac, "install", "--dry-run").output
    assert "No longer set, as this environment lacks them: LOG_LEVEL\n" in again
    assert f"remove {log}.1" in service(mac, "uninstall", "--dry-run").output
