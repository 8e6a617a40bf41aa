"""The commands that are one step each: login, open, completion; and the list of them all."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from app.console import main
from app.console.misspelt import find_misspelt


def test_login(console, linux, script):
    """`login` becomes the login of the claude that the server uses."""
    path = script("echo 2.1.330")
    result = console("login", machine=linux, CLAUDE_BIN=path)
    assert type(result.exception).__name__ == "Became"
    assert linux.became == [path, "auth", "login"]


def test_login_without_claude(console, linux):
    """Where there is no claude, the sentence says how to get one."""
    result = console("login", machine=linux, CLAUDE_BIN="/nowhere/claude")
    assert result.exit_code == 1
    assert "CLAUDE_BIN=/nowhere/claude" in result.stderr


def test_open(console, linux, answering, monkeypatch):
    """`open` opens the page of the server that runs, and without one says how to run it."""
    opened = []
    monkeypatch.setattr(click, "launch", opened.append)
    port = answering().port
    assert console("open", str(port), machine=linux).exit_code == 0
    assert opened == [f"http://127.0.0.1:{port}"]
    result = console("open", machine=linux)
    assert result.exit_code == 1
    assert "claude-max-api serve" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(console, shell):
    """Each shell gets its script."""
    result = console("completion", shell)
    assert result.exit_code == 0
    assert "_CLAUDE_MAX_API_COMPLETE" in result.stdout


def complete(words, **env):
    """What bash is offered for the last of these words."""
    told = {
        "_CLAUDE_MAX_API_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["claude-max-api", *words]),
        "COMP_CWORD": str(len(words)),
    }
    argv = [sys.executable, "-c", "from app.console import main; main(prog_name='claude-max-api')"]
    done = subprocess.run(argv, env={**env, **told}, capture_output=True, text=True, check=False, timeout=30)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_completed(console, environment):
    """Commands, clients and the names of keys are completed."""
    env = environment()
    for name in ("laptop", "phone"):
        assert console("key", "add", name).exit_code == 0
    assert complete(["do"], **env) == ["docs", "doctor"]
    assert complete(["config", "op"], **env) == ["openclaw", "openai", "open-webui"]
    assert complete(["key", "revoke", ""], **env) == ["laptop", "phone"]
    assert complete(["key", "revoke", "l"], **env) == ["laptop"]


def test_help_lines_are_whole(console):
    """No line of the list of commands is cut."""
    for group in ((), ("service",), ("key",)):
        assert "..." not in console(*group, "--help").stdout.partition("Commands:")[2]


def test_no_color(console, monkeypatch):
    """NO_COLOR counts, whatever the terminal can do."""
    seen = []
    monkeypatch.setattr(main, "commands", {**main.commands, "see": click.Command("see", callback=lambda: None)})

    @click.pass_context
    def see(context):
        seen.append(context.color)

    main.commands["see"].callback = see
    assert console("see").exit_code == console("see", NO_COLOR="1").exit_code == 0
    assert seen == [None, False]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("CLAUDE_PROXY_PORT", "PORT"), ("CLAUDE_PROXY_HOST", "HOST"), ("CLAUDE_PROXY_TIMOUT", "CLAUDE_PROXY_TIMEOUT")],
)
def test_misspelt(name, meant):
    """A variable that looks like a setting is told from the one that was meant."""
    assert find_misspelt({name: "1"}) == {name: f"no such setting: {name} (did you mean {meant}?)"}


def test_version(console):
    """Both forms of the option tell the version."""
    assert console("-v").stdout == console("--version").stdout != ""
    assert {"ask", "chat", "login", "open"} <= set(main.commands)
