"""Where the service's files are, and what service managers say."""

from __future__ import annotations

import re

NO_BUS = (1, "Failed to connect to bus: No medium found")
RUNNING = (0, "LoadState=loaded\nActiveState=active\nMainPID=77\nResult=success")
UNIT = "claude-max-proxy.service"
AGENT = "gui/501/com.openclaw.claude-max-proxy"
LOADED = (0, "gui/501/com.openclaw.claude-max-proxy = {\n\tstate = running\n\tpid = 77\n}")
NOT_LOADED = (113, "Could not find service")


def unit_file(home):
    return home / ".config/systemd/user" / UNIT


def agent_file(home):
    return home / "Library/LaunchAgents/com.openclaw.claude-max-proxy.plist"


def installed(machine):
    """Put a file where the service's is."""
    for path in (unit_file(machine.home), agent_file(machine.home)):
        path.parent.mkdir(parents=True)
        path.write_text('ExecStart="/bin/claude-max-api" serve 3457\nEnvironment="LOG_LEVEL=DEBUG"')


def changes(machine):
    """Return the calls that change something."""
    return [call for call in machine.calls if not re.search(r" (show|print|show-user) ", call)]


def only_files(home):
    return {path.relative_to(home) for path in home.rglob("*") if path.is_file() and path.name != "claude-max-api"}
