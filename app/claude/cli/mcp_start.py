"""Becomes an MCP server: `python -I mcp_start.py LOG NAMES COMMAND ARGS…`.

The server gets the variables in NAMES, separated by commas, and those that a program needs to run; what it says on
standard error is in LOG from its start on. Claude Code would give it all of its own environment.
"""

from __future__ import annotations

import os
import sys

NEEDED = frozenset(
    """
    HOME PATH USER LOGNAME SHELL TMPDIR TZ LANG LANGUAGE LC_ALL LC_CTYPE CLAUDE_PROXY_PROCESS
    HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy SSL_CERT_FILE SSL_CERT_DIR
    """.split()
)


def main(log: str, names: str, *command: str) -> None:
    """Become the command."""
    kept = NEEDED | set(names.split(","))
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(file, 2)
    try:
        os.execvpe(command[0], command, {name: value for name, value in os.environ.items() if name in kept})
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
