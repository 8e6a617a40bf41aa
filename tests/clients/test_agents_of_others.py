"""OpenClaw, Continue and Codex, the programs themselves, where they are installed: one turn with calls of their tools.

`npm install -g openclaw`, `@continuedev/cli` and `@openai/codex` bring them; they are too large for every test run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from server import ROOT, Server
from talk import turns

from app.standin import Reply, StandIn, Text, ToolUse

PATIENCE = 50.0
WORD = "heliotrope"


def installed(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def configuration(client: str, server: Server) -> str:
    """Return what `claude-max-api config` prints for a client."""
    argv = [sys.executable, "-c", "from app.console import main; main()", "config", client, "--url", server.url]
    shown = subprocess.run(argv, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True)
    return shown.stdout


def run(argv: list[str], home: Path) -> str:
    """Run a client in an environment of nothing but a home; return what it says."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "CI": "1"}
    done = subprocess.run(
        argv, cwd=home, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def calls(name: str, arguments: dict[str, Any], heard: list[str]) -> Any:
    """Return what calls a tool once, notes what came of it, and then says the word."""

    def reply(body: dict[str, Any]) -> Reply:
        found = [block for _, blocks in turns(body) for block in blocks if block["type"] == "tool_result"]
        if found:
            heard.append(str(found[-1]["content"]))
            return Reply((Text([f"The word is {WORD}."]),))
        if name not in {tool["name"] for tool in body.get("tools", [])}:
            return Reply((Text(["A title."]),))
        return Reply((ToolUse(name, arguments),))

    return reply


@pytest.mark.timeout(120)
def test_openclaw(server: Server, standin: StandIn, tmp_path: Path) -> None:
    """OpenClaw, configured as `config openclaw` says, runs its own `exec` for Claude and gets the answer."""
    program = installed("openclaw")
    folder = tmp_path / ".openclaw"
    folder.mkdir()
    (folder / "openclaw.json").write_text(configuration("openclaw", server))
    heard: list[str] = []
    standin.reply = calls("exec", {"command": "echo from-openclaw-$((6*7))"}, heard)
    said = run([program, "agent", "--local", "--agent", "main", "--message", "Which word is it?"], tmp_path)
    assert WORD in said
    assert any("from-openclaw-42" in result for result in heard)
    roles = [role for role, _ in turns(standin.messages[-1])]
    assert roles == ["user", "assistant", "user"]


@pytest.mark.timeout(120)
def test_continue(server: Server, standin: StandIn, tmp_path: Path) -> None:
    """Continue's command line, configured as `config continue` says, runs its own `Read` and gets the answer."""
    program = installed("cn")
    config = tmp_path / "config.yaml"
    config.write_text(configuration("continue", server))
    note = tmp_path / "note.txt"
    note.write_text("from-continue-42")
    heard: list[str] = []
    standin.reply = calls("Read", {"filepath": str(note)}, heard)
    said = run([program, "--config", str(config), "--print", "Which word is it?"], tmp_path)
    assert WORD in said
    assert any("from-continue-42" in result for result in heard)


MCP_SERVER = """
import json, sys
TOOL = {"name": "secret", "description": "Tells it.", "inputSchema": {"type": "object", "properties": {}}}
for line in sys.stdin:
    message = json.loads(line)
    result = {
        "initialize": {
            "protocolVersion": (message.get("params") or {}).get("protocolVersion"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "words", "version": "1"},
        },
        "tools/list": {"tools": [TOOL]},
        "tools/call": {"content": [{"type": "text", "text": f"from-mcp-{6 * 7}"}]},
    }.get(message.get("method"), {})
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""
CODEX = """
model = "claude-sonnet-4"
model_provider = "claude"
approval_policy = "never"

[model_providers.claude]
name = "Claude"
base_url = "{url}/v1"
wire_api = "responses"

[mcp_servers.words]
command = "{python}"
args = ["{script}"]
"""


@pytest.mark.timeout(120)
def test_codex(server: Server, standin: StandIn, tmp_path: Path) -> None:
    """Codex, told of nothing but its provider, calls a tool of its MCP server for Claude and gets the answer."""
    program = installed("codex")
    script = tmp_path / "words.py"
    script.write_text(MCP_SERVER)
    folder = tmp_path / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(CODEX.format(url=server.url, python=sys.executable, script=script))
    heard: list[str] = []
    standin.reply = calls("mcp__words__secret", {}, heard)
    argv = [program, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Which word is it?"]
    said = run(argv, tmp_path)
    assert WORD in said
    assert any("from-mcp-42" in result for result in heard)
    roles = [role for role, _ in turns(standin.messages[-1])]
    assert roles == ["user", "assistant", "user"]
