"""MCP servers: how they are named to the CLI and started, and what is said of those that do not start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types

import pytest

from app.agents.agent import McpServer
from app.claude.cli import mcp_start
from app.claude.cli.channel import finished
from app.claude.cli.mcp import FOLDER, MAX_LOG_BYTES, MAX_WORDS_BYTES, McpServers, remove_old_files
from app.errors import CliFailed

SERVER = McpServer(name="home", command="home", args=("-v",), env=(("HOME_TOKEN", "hush"),))
WEB = McpServer(name="web", type="sse", url="http://127.0.0.1:1/sse", headers=(("Authorization", "hush"),))


def test_the_file(tmp_path):
    """It names each server, and only its owner can read it; nothing of it is in a command line."""
    path = McpServers((SERVER, WEB), tmp_path).written()
    assert path.stat().st_mode & 0o777 == 0o600
    told = json.loads(path.read_text())["mcpServers"]
    assert told["web"] == {"type": "sse", "url": WEB.url, "headers": {"Authorization": "hush"}}
    assert (told["home"]["command"], told["home"]["env"]) == (sys.executable, {"HOME_TOKEN": "hush"})
    assert told["home"]["args"][-3:] == ["HOME_TOKEN", "home", "-v"]
    assert "hush" not in path.name
    with pytest.raises(CliFailed, match="cannot be named"):
        McpServers((SERVER,), tmp_path / "none").written()


def test_old_files(tmp_path):
    """What a changed configuration has left behind goes after a day; what is in use stays, and so do last words."""
    (tmp_path / FOLDER).mkdir()
    old, used = (McpServers((server,), tmp_path / FOLDER).written() for server in (SERVER, WEB))
    words = tmp_path / FOLDER / "home.log"
    words.touch()
    for path in (old, words):
        os.utime(path, (0, 0))
    remove_old_files(tmp_path)
    assert sorted((tmp_path / FOLDER).iterdir()) == sorted([used, words])
    remove_old_files(tmp_path / "none")


def start(log, *command, **environ):
    """Return what a program says that is started as an MCP server is."""
    argv = [sys.executable, "-I", mcp_start.__file__, str(log), "HOME_TOKEN,", *command]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == ""
    return done


def test_the_start(tmp_path):
    """It has what a program needs and what its row names; what it says on standard error is kept, from its start on."""
    log = tmp_path / "home.log"
    log.write_text("of the one before")
    tell = "import os, sys; print(sorted(os.environ)); print('last words', file=sys.stderr)"
    given = {"PATH": "/bin", "HOME_TOKEN": "1", "CLAUDE_CODE_MESSAGING_TOKEN": "2", "ANTHROPIC_BASE_URL": "3"}
    done = start(log, sys.executable, "-c", tell, **given)
    assert set(json.loads(done.stdout.replace("'", '"'))) - {"LC_CTYPE"} == {"PATH", "HOME_TOKEN"}
    assert log.read_text() == "last words\n"
    assert start(log, "no-such-program", PATH="/bin").returncode == 1
    assert log.read_text() == "no-such-program cannot be started: No such file or directory\n"


class Cli:
    """Says of the server that it has failed, or something else."""

    def __init__(self, status="failed"):
        self.status = status

    def request(self, *_):
        yield from ()
        told = {"mcpServers": [{"name": "home", "status": self.status, "error": "gone"}]}
        return types.SimpleNamespace(subtype="success", payload=lambda: told)


@pytest.mark.parametrize("before", [0, 3 * MAX_WORDS_BYTES])
def test_last_words(tmp_path, before):
    """Of what a server has said the end is told, however much it was."""
    (tmp_path / "home.log").write_bytes(b"x" * before + b"\nlast words\n")
    state = finished(McpServers((SERVER,), tmp_path).settled(Cli()))["home"]
    assert (state.connected, state.error) == (False, "gone")
    assert state.words.endswith("last words")
    assert len(state.words) <= MAX_WORDS_BYTES


@pytest.mark.parametrize("more", [0, 1])
def test_a_server_that_says_too_much(tmp_path, more):
    """The file does not grow without end while a server runs; one that goes on writing begins it anew."""
    log = tmp_path / "home.log"
    with log.open("ab", buffering=0) as its:
        its.write(b"x" * (MAX_LOG_BYTES + more))
        finished(McpServers((SERVER,), tmp_path).settled(Cli("connected")))
        its.write(b"y")
    assert log.stat().st_size == (1 if more else MAX_LOG_BYTES + 1)
