"""Which `claude` is used, and that it is new enough."""

from __future__ import annotations

import importlib.util
import os
import types

import pytest

from app.claude.cli import binary
from app.claude.cli.binary import Locator
from app.claude.cli.proofs import Capabilities
from app.conversation import Conversation, Message, Options, TextBlock, ToolDefinition
from app.errors import CliFailed


@pytest.fixture
def bundled(monkeypatch):
    """Give a function that makes the claude-agent-sdk package be in a folder, or nowhere."""

    def put(folder):
        spec = None if folder is None else types.SimpleNamespace(origin=str(folder / "__init__.py"))
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)

    put(None)
    return put


def test_order(settings, script, tmp_path, bundled):
    """CLAUDE_BIN goes before PATH, PATH before the bundled one."""
    folders = [tmp_path / name for name in ("own", "path", "sdk/_bundled")]
    for folder in folders:
        folder.mkdir(parents=True)
    own, on_path, in_sdk = (script("", folder=folder) for folder in folders)
    bundled(tmp_path / "sdk")
    path = str(tmp_path / "path")
    assert binary.find(settings(CLAUDE_BIN=str(own), PATH=path)) == own
    assert binary.find(settings(PATH=path)) == on_path
    assert binary.find(settings(PATH="/nowhere")) == in_sdk


def test_missing(settings, bundled):
    """Without any, the error says how to get one and which setting names another."""
    with pytest.raises(CliFailed, match=r"npm install.*CLAUDE_BIN") as caught:
        binary.find(settings(PATH="/nowhere"))
    assert caught.value.code == "cli_missing"


@pytest.mark.parametrize("what", ["missing", "a folder", "not executable"])
def test_claude_bin_is_wrong(settings, script, tmp_path, what):
    """A CLAUDE_BIN that cannot be run is an error, not a reason to use another."""
    path = tmp_path / "claude"
    if what == "a folder":
        path.mkdir()
    elif what == "not executable":
        script("").chmod(0o644)
    with pytest.raises(CliFailed, match="CLAUDE_BIN="):
        binary.find(settings(CLAUDE_BIN=str(path)))


@pytest.mark.parametrize(
    ("shown", "version"), [("2.1.120 (Claude Code)", (2, 1, 120)), ("2.1.259", (2, 1, 259)), ("3.0.0", (3, 0, 0))]
)
def test_version(settings, script, shown, version):
    """The version is read from what the executable shows, and says nothing about what it may be relied on for."""
    found = Locator(settings(CLAUDE_BIN=str(script(f"echo '{shown}'")))).current()
    assert (found.version, found.capabilities) == (version, Capabilities())
    assert shown.startswith(found.version_text)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("echo 2.1.119", "cli_version", "2.1.119"),
        ("echo 1.99.999", "cli_version", "claude update"),
        ("echo hello", "cli_version", "does not tell a version"),
        ("exit 1", "cli_version", "does not tell a version"),
        ("printf '\\377\\376 2.1'", "cli_version", "does not tell a version"),
    ],
)
def test_unfit(settings, script, text, code, said):
    """A version that is too old or unknown is refused in one sentence."""
    with pytest.raises(CliFailed) as caught:
        Locator(settings(CLAUDE_BIN=str(script(text)))).current()
    assert caught.value.code == code
    assert said in caught.value.message


def test_does_not_start(settings, script):
    """A file that is no program for this machine is an error that tells what to run."""
    path = script("")
    path.write_bytes(b"\0ELF not really")
    with pytest.raises(CliFailed, match="does not start"):
        Locator(settings(CLAUDE_BIN=str(path))).current()


def test_hanging(settings, script, monkeypatch):
    """An executable that does not tell its version is not waited for for ever."""
    monkeypatch.setattr(binary, "VERSION_TIMEOUT_SECONDS", 0.1)
    with pytest.raises(CliFailed, match="does not start"):
        Locator(settings(CLAUDE_BIN=str(script("exec sleep 60")))).current()


def test_asked_once(settings, script, tmp_path):
    """The version is asked for once, and again when the file has been replaced."""
    log = tmp_path / "asked"
    path = script(f"echo x >> {log}; echo 2.1.200")
    locator = Locator(settings(CLAUDE_BIN=str(path)))
    first = locator.current()
    assert locator.current() is first
    assert log.read_text() == "x\n"
    script(f"echo x >> {log}; echo 2.1.300 # newer")
    os.utime(path, ns=(1, 1))
    assert locator.current().version == (2, 1, 300)
    assert log.read_text() == "x\nx\n"


def test_environment(settings, script, tmp_path):
    """The executable sees what the settings let through, and neither our environment nor a key."""
    path = script(f"env > {tmp_path}/seen; echo 2.1.300")
    Locator(settings(CLAUDE_BIN=str(path), ANTHROPIC_API_KEY="sk-ant-x", CLAUDECODE="1", EXTRA="1")).current()
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines())
    assert not {"ANTHROPIC_API_KEY", "CLAUDECODE", "EXTRA"} & set(seen)
    assert seen["CLAUDE_CODE_DISABLE_ATTACHMENTS"] == "1"
    assert seen["DISABLE_AUTOUPDATER"] == "1"


HI = (Message("user", (TextBlock("hi"),)),)
LOOK = (ToolDefinition("look", "", {"type": "object"}),)


@pytest.mark.parametrize(
    ("options", "tools", "needs"),
    [
        (Options(), (), []),
        (Options(parallel_tools=False), (), []),
        (Options(), LOOK, ["tools"]),
        (Options(parallel_tools=False), LOOK, ["tools", "one_call"]),
        (Options(schema={"type": "object"}), (), ["structured"]),
        (Options(max_tokens=5), (), ["max_tokens"]),
        (Options(effort="low"), (), ["effort"]),
        (Options(stop=("x",), thinking=True), (), []),
    ],
)
def test_needs(options, tools, needs):
    """Only what cannot be had in another way is needed, and only by what asks for it."""
    conversation = Conversation("sonnet", "", HI, tools, options)
    assert list(binary._needs(conversation)) == needs
