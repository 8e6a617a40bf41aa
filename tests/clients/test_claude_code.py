"""Claude Code itself as a client: `claude` with this server for its API, whose own `claude` asks the stand-in."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hermetic
import pytest
from server import Server
from talk import turns

from app.standin import Reply, StandIn, Text, ToolUse

PATIENCE = 100.0
WORD = "heliotrope"
Ask = Callable[..., str]


@pytest.fixture
def ask(server: Server, claude: Path, tmp_path: Path) -> Ask:
    """Run Claude Code with a question and further arguments, in a folder of its own; return what it prints."""
    folder = tmp_path / "work"
    folder.mkdir()

    def run(question: str, *more: str) -> str:
        env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(tmp_path),
            "ANTHROPIC_BASE_URL": server.url,
            "CLAUDE_CODE_OAUTH_TOKEN": hermetic.DUMMY_TOKEN,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        argv = [str(claude), "--print", question, "--allowedTools", "Bash,Read,Write", *more]
        done = subprocess.run(
            argv,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def results(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [block for _, blocks in turns(body) for block in blocks if block["type"] == "tool_result"]


def steps(folder: Path) -> Callable[[dict[str, Any]], Reply]:
    """Return what writes a file, reads it, runs a command, each in a turn of its own, and then says the word."""
    note = str(folder / "note.txt")
    calls = [
        ToolUse("Write", {"file_path": note, "content": "from-claude-code"}),
        ToolUse("Read", {"file_path": note}),
        ToolUse("Bash", {"command": f"cat {note} && echo -$((6*7))", "description": "Shows the note"}),
    ]

    def reply(body: dict[str, Any]) -> Reply:
        done = len(results(body))
        if "Bash" not in {tool["name"] for tool in body.get("tools", [])}:
            return Reply((Text("A title."),))
        return Reply((calls[done],)) if done < len(calls) else Reply((Text(["The word is ", f"{WORD}."]),))

    return reply


@pytest.mark.timeout(180)
@pytest.mark.parametrize("form", ["text", "stream-json"])
def test_turn_with_tools(ask: Ask, standin: StandIn, tmp_path: Path, form: str) -> None:
    """Claude Code's own Write, Read and Bash run at the client, and what they gave reaches the API as results."""
    standin.reply = steps(tmp_path / "work")
    said = ask("Which word is it?", "--output-format", form, *(["--verbose"] if form == "stream-json" else []))
    assert (tmp_path / "work" / "note.txt").read_text() == "from-claude-code"
    if form == "text":
        assert said.strip() == f"The word is {WORD}."
    else:
        lines = [json.loads(line) for line in said.splitlines()]
        assert (lines[-1]["type"], lines[-1]["is_error"]) == ("result", False)
        assert lines[-1]["result"] == f"The word is {WORD}."
        blocks = [block for line in lines if line["type"] == "assistant" for block in line["message"]["content"]]
        assert [block["name"] for block in blocks if block["type"] == "tool_use"] == ["Write", "Read", "Bash"]
    last = results(standin.messages[-1])
    assert len(last) == 3
    assert not any(block.get("is_error") for block in last)
    assert "from-claude-code" in json.dumps(last[1])
    assert "from-claude-code-42" in json.dumps(last[2]).replace("\\n", "")


@pytest.mark.timeout(180)
def test_attribution(ask: Ask, standin: StandIn) -> None:
    """Claude Code's line about itself does not reach the API; that of the `claude` which asks does, alone in its block.

    The prompt is a block of its own with a cache mark, as the CLI makes one of any.
    """
    assert "One two three." in ask("Which word is it?")
    system = standin.messages[-1]["system"]
    lines = [index for index, block in enumerate(system) if block["text"].startswith("x-anthropic-billing-header")]
    assert lines == [0]
    assert "\n" not in system[0]["text"].strip()
    assert "cc_entrypoint=sdk-cli" in system[0]["text"]
    assert len(system[-1]["text"]) > 1000
    assert "cache_control" in system[-1]


@pytest.mark.timeout(180)
def test_context(ask: Ask, server: Server, standin: StandIn) -> None:
    """Claude Code's /context, which counts part by part, gets its numbers, and no model is asked."""
    said = ask("/context")
    counted = re.findall(r"POST /v1/messages/count_tokens status=(\d+)", server.log)
    refused = [line for line in server.log.splitlines() if "status=4" in line or "WARNING" in line or "ERROR" in line]
    assert set(counted) == {"200"}, "\n".join(refused)
    assert "Tokens:" in said
    assert standin.messages == []
