"""What Claude Code's own tools must not touch in any permission mode: this server's files, and the login's.

Deny rules hold for Read, Grep, Glob, Edit and Write, and for those commands of Bash that Claude Code knows to read or
write files; a program that Bash runs is bound by them only in Claude Code's sandbox, which reads the same rules.
https://code.claude.com/docs/en/permissions
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from app.config import Settings

# Everything in the state folder but `agent-workspace` and `agent-workspaces`, where the tools may work. Claude Code's
# sandbox applies patterns only to files that exist, so files that may come later are named.
PRIVATE = (
    "keys.json",
    "keys.new",
    "extra-usage.json",
    "extra-usage.json.*",
    "sessions.db",
    "sessions.db-wal",
    "sessions.db-shm",
    "sessions.db.damaged-*",
    "usage.db",
    "usage.db-wal",
    "usage.db-shm",
    "usage.db.damaged-*",
    "shares.json",
    "captures",
    "processes",
    "mcp",
    "proofs",
    "workspace",
)
# Of Claude Code's own in the home folder, and what `claude-max-api service install` writes, which may hold API keys.
CLAUDE_FOLDER = ".claude"
CREDENTIALS = ".credentials.json"
IN_HOME = (
    ".claude.json",
    ".config/systemd/user/claude-max-proxy.service",
    "Library/LaunchAgents/com.openclaw.claude-max-proxy.plist",
    "Library/Keychains",
)
# On macOS this command prints the login.
COMMANDS = ("Bash(security:*)",)
# What does not stand for itself in the patterns of the rules, which are gitignore's, or, up to 2.1.120, in a rule.
SPECIAL = re.compile(r"[\\\[\]()]")


def settings_argument(settings: Settings, allowed: Sequence[str] = ()) -> str:
    """Return the value of `--settings` that keeps the tools from these files, and lets others run unasked."""
    rules = [f"{tool}(/{pattern})" for pattern in _patterns(settings) for tool in ("Read", "Edit")]
    return msgspec.json.encode({"permissions": {"allow": allowed, "deny": [*rules, *COMMANDS]}}).decode()


def _patterns(settings: Settings) -> Iterator[str]:
    environ = settings.cli_environ
    home = Path(environ.get("HOME") or Path.home())
    claude = Path(environ.get("CLAUDE_CONFIG_DIR") or home / CLAUDE_FOLDER)
    paths = [claude / CREDENTIALS, *(home / name for name in IN_HOME)]
    paths += [settings.state_dir / name for name in PRIVATE]
    paths += [settings.config] if settings.config is not None else []
    # Rules are compared with a path as it was asked for and as it is without links. A file may be a link itself.
    direct = [path.parent.resolve() / path.name for path in paths]
    for path in dict.fromkeys([*paths, *direct, *(path.resolve() for path in direct)]):
        pattern = SPECIAL.sub("?", str(path))
        yield pattern
        yield f"{pattern}/**"
