"""The command line and the environment of a process."""

from __future__ import annotations

import json
from pathlib import Path

from app.agents.agent import Workplace
from app.claude.cli import command
from app.config_reading import read_settings
from app.conversation import ClaudeSession


def agent_argv(env, tools, **more):
    """Return the command line of the settings' own row, with these tools."""
    settings = read_settings(env)
    return command.agent_argv(Path("/bin/claude"), "opus", Workplace(settings.own_row, tools), settings, **more)


def test_plain():
    """A plain chat has no tools of Claude Code's own and none of this machine's settings."""
    argv = command.argv(Path("/bin/claude"), "sonnet")
    assert (argv[0], argv[-1]) == ("/bin/claude", "--model=sonnet")
    assert {"--tools=", "--setting-sources=", "--strict-mcp-config"} <= set(argv)


def test_agent(tmp_path):
    """With tools of its own it gets just these, in the operator's mode, and must keep from the server's files."""
    env = {"CLAUDE_PROXY_STATE_DIR": str(tmp_path), "HOME": str(tmp_path)}
    argv = agent_argv(env, ("Read", "Bash"))
    assert "--tools=Read,Bash" in argv
    assert "--strict-mcp-config" in argv
    (given,) = (word.removeprefix("--settings=") for word in argv if word.startswith("--settings="))
    deny = json.loads(given)["permissions"]["deny"]
    for name in ("keys.json", "captures/**", "usage.db", "shares.json"):
        assert {f"Read(/{tmp_path}/{name})", f"Edit(/{tmp_path}/{name})"} <= set(deny)


def test_files_behind_links(tmp_path):
    """A file that is kept elsewhere, with a link in its place, is out of reach there, too."""
    (tmp_path / "dotfiles").mkdir()
    kept = tmp_path / "dotfiles" / "config.toml"
    kept.touch()
    (tmp_path / "config.toml").symlink_to(kept)
    env = {"CLAUDE_PROXY_STATE_DIR": str(tmp_path), "CLAUDE_PROXY_CONFIG": str(tmp_path / "config.toml")}
    (given,) = (
        word.removeprefix("--settings=") for word in agent_argv(env, ("Read",)) if word.startswith("--settings=")
    )
    deny = json.loads(given)["permissions"]["deny"]
    for path in (kept, tmp_path / "config.toml"):
        assert {f"Read(/{path})", f"Edit(/{path})"} <= set(deny)


def test_agent_with_settings(tmp_path):
    """An operator who lets Claude Code's own settings in gets the MCP servers that they name."""
    env = {"CLAUDE_PROXY_STATE_DIR": str(tmp_path), "CLAUDE_PROXY_SETTING_SOURCES": "user"}
    argv = agent_argv(env, ("Read",))
    assert "--setting-sources=user" in argv
    assert "--strict-mcp-config" not in argv


def test_transcripts(tmp_path):
    """Nothing is written but for a session that Claude Code keeps: one that begins, or one that goes on."""
    env = {"CLAUDE_PROXY_STATE_DIR": str(tmp_path)}
    unkept = "--no-session-persistence"
    assert unkept in command.argv(Path("/bin/claude"), "sonnet")
    assert unkept in agent_argv(env, ())
    for session, option in ((ClaudeSession("1"), "--session-id=1"), (ClaudeSession("1", "/1.jsonl"), "--resume=1")):
        argv = agent_argv(env, (), kept=session)
        assert option in argv
        assert unkept not in argv


def test_environment():
    """What keeps a chat apart from this machine cannot be overruled; a preference can."""
    given = {"CLAUDE_CODE_DISABLE_ATTACHMENTS": "0", "CLAUDE_CODE_MAX_RETRIES": "1", "HOME": "/home/me"}
    for found in (command.environment(given), command.agent_environment(given)):
        assert found["CLAUDE_CODE_DISABLE_ATTACHMENTS"] == "1"
        assert (found["CLAUDE_CODE_MAX_RETRIES"], found["HOME"]) == ("1", "/home/me")
    assert command.agent_environment({})["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"] == "1"
