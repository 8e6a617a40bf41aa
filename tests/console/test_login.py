"""`login` is the login of the `claude` that the server uses."""

from __future__ import annotations


def test_login(console, linux, script):
    """`login` becomes the login of the claude that the server uses."""
    path = script("echo 2.1.330")
    result = console("login", machine=linux, CLAUDE_BIN=path, HOST="0.0.0.0")
    assert type(result.exception).__name__ == "Became"
    assert linux.became == [path, "auth", "login"]


def test_login_without_claude(console, linux):
    """Where there is no claude, the sentence says how to get one."""
    result = console("login", machine=linux, CLAUDE_BIN="/nowhere/claude")
    assert result.exit_code == 1
    assert "CLAUDE_BIN=/nowhere/claude" in result.stderr
