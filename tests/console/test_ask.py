"""Asking and chatting from the console, over a real server with the fake CLI, and over one that it starts itself."""

from __future__ import annotations

import base64
import json

import psutil
import pytest

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_answer(command):
    """The answer comes on standard output, ends with a line end, and nothing else is said."""
    result = command("ask", "Hello")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Hello world.\n", "")


def test_question_from_standard_input(command, fake_server):
    """What is piped is the question, or stands behind the words; nothing at all is an error that says what to do."""
    assert command("ask", typed="Hello\n").stdout == "Hello world.\n"
    assert command("ask", "Hello", typed="crash\n").stdout == "Hello world.\n"
    result = command("ask")
    assert result.exit_code == 2
    assert "claude-max-api ask Hello" in result.stderr


def test_json(command):
    """The whole completion can be had as JSON."""
    completion = json.loads(command("ask", "--json", "Hello").stdout)
    assert completion["choices"][0]["message"]["content"] == "Hello world."


@pytest.mark.parametrize("how", [(), ("--json",)], ids=["stream", "json"])
def test_failure(command, how):
    """An error of the server is a sentence on standard error and an exit status."""
    result = command("ask", *how, "crash-before")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "ended before it finished" in result.stderr


def test_failure_in_the_midst(command):
    """An answer that breaks off is an error, whatever came of it."""
    result = command("ask", "crash")
    assert result.exit_code == 1
    assert result.stdout.startswith("Hello")
    assert "Error: " in result.stderr


def test_session(command, fake_server):
    """A named conversation goes on."""
    for _ in range(2):
        assert command("ask", "-s", "from the console", "Hello").exit_code == 0
    session = fake_server.get("/v1/sessions/from%20the%20console")[1]
    assert [message["role"] for message in session["messages"]] == ["user", "assistant"] * 2


def test_files(command, home, fake_server):
    """A picture and a text go with the question, or without one; what cannot be read is named."""
    (home / "dot.png").write_bytes(DOT)
    (home / "notes.py").write_text("print()\n")
    result = command("ask", "-f", str(home / "dot.png"), "-f", str(home / "notes.py"), "Hello", "-s", "files")
    assert result.stdout == "Hello world.\n", result.output
    asked = fake_server.get("/v1/sessions/files")[1]["messages"][0]["content"]
    assert [block["type"] for block in asked] == ["image", "document", "text"]
    result = command("ask", "-f", str(home / "none.png"))
    assert result.exit_code == 1
    assert "none.png cannot be read: No such file" in result.stderr


def test_without_a_server(console):
    """Where no server runs one is started, whatever keys there are, and is gone with the answer."""
    before = set(psutil.Process().children(recursive=True))
    result = console("ask", "Hello", CLAUDE_PROXY_API_KEYS="laptop:" + "s" * 20)
    assert (result.exit_code, result.stdout) == (0, "Hello world.\n"), result.output
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_server_that_cannot_start(console):
    """Where none can be started the command says why, in the server's own words."""
    result = console("ask", "Hello", CLAUDE_BIN="/nowhere/claude")
    assert result.exit_code == 1
    assert "/nowhere/claude" in result.stderr


def test_no_server_at_a_named_port(console, environment):
    """Who names a port means the server there, and gets no other."""
    result = console("ask", "-p", environment()["PORT"], "Hello")
    assert result.exit_code == 1
    assert "No server of this program answers" in result.stderr
