"""The list of commands, and the options that are before each of them."""

from __future__ import annotations

import click

from app.console import main


def test_help_lines_are_whole(console):
    """No line of the list of commands is cut."""
    for group in ((), ("service",), ("key",), ("config",)):
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


def test_version(console):
    """Both forms of the option tell the version."""
    assert console("-v").stdout == console("--version").stdout != ""
    assert {"ask", "chat", "login", "open"} <= set(main.commands)
