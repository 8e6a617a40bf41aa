"""What an agent's tools cannot reach: the server's files and secrets, and the login's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import confined
import hermetic
import pytest
from conftest import FAKE_CLAUDE
from server import Server, until
from talk import turns

from app.standin import Reply, StandIn, Text, ToolUse

AGENT = {
    "CLAUDE_PROXY_TOOLS": "all",
    "CLAUDE_PROXY_TOOLS_FOR": "anyone",
    "CLAUDE_PROXY_PASS_ENV": f"{hermetic.PASSED},IS_SANDBOX",
    "IS_SANDBOX": "1",
}
SECRET = "hunter2"


def bash(command: str) -> ToolUse:
    return ToolUse("Bash", {"command": command, "description": "x"})


def results(body: dict[str, Any]) -> list[str]:
    blocks = [block for _, blocks in turns(body) for block in blocks if block["type"] == "tool_result"]
    return [block["content"] if isinstance(block["content"], str) else json.dumps(block["content"]) for block in blocks]


def told(server: Server, standin: StandIn, calls: list[ToolUse]) -> list[str]:
    """Have the model make these calls one after the other; return what they were answered."""
    standin.reply = lambda body: Reply(
        (Text(["Done."]) if len(results(body)) >= len(calls) else calls[len(results(body))],)
    )
    assert server.chat("Go on", timeout=55)[0] == 200
    answers = results(standin.messages[-1])
    assert len(answers) == len(calls)
    return answers


@pytest.mark.parametrize("mode", ["bypassPermissions", "acceptEdits"])
def test_private_files(serve: Callable[..., Server], standin: StandIn, mode: str) -> None:
    """Neither state folder nor credentials can be read or written by a tool, whatever is allowed otherwise."""
    server = serve(CLAUDE_PROXY_PERMISSION_MODE=mode, **AGENT)
    state, home = server.state, server.state.parent
    credentials = home / ".claude" / ".credentials.json"
    credentials.parent.mkdir(exist_ok=True)
    credentials.write_text(json.dumps({"token": SECRET}))
    plain = {"X-Proxy-Tools": "none", "X-Session-Id": "s"}
    body = {"model": "sonnet", "messages": [{"role": "user", "content": f"The word is {SECRET}."}]}
    assert server.request("POST", "/v1/chat/completions", body, plain)[0] == 200
    calls = [
        *(ToolUse("Read", {"file_path": str(path)}) for path in (credentials, state / "sessions.db")),
        *(
            ToolUse("Grep", {"pattern": SECRET, "path": str(path), "output_mode": "content"})
            for path in (home, credentials.parent, state)
        ),
        ToolUse("Glob", {"pattern": "**/*", "path": str(state)}),
        bash(f"cat {credentials}"),
        bash(f"head -3 {state}/sessions.db-wal"),
        ToolUse("Write", {"file_path": str(state / "keys.json"), "content": SECRET}),
        bash(f"echo {SECRET} > {state}/keys.json"),
    ]
    answers = told(server, standin, calls)
    for call, answer in zip(calls, answers, strict=True):
        assert SECRET not in answer.replace(f"echo {SECRET}", ""), (call, answer)
    assert "sessions.db" not in answers[5]
    assert not (state / "keys.json").exists()
    # The tools can still do their work where they are to do it.
    work = state / "agent-workspace" / "note.txt"
    first, second = told(
        server, standin, [ToolUse("Write", {"file_path": str(work), "content": "a note"}), bash("cat note.txt")]
    )
    assert work.read_text() == "a note", first
    assert "a note" in second


def test_all_of_the_state_folder(serve: Callable[..., Server], standin: StandIn) -> None:
    """A file that the server puts into its state folder is one that the tools are kept from."""
    server = serve(**AGENT)
    assert server.chat("Hello", session_id="s")[0] == 200
    names = sorted(path.name for path in server.state.iterdir() if path.name != "agent-workspace")
    assert "sessions.db" in names
    names += ["keys.json", "keys.new", "sessions.db.damaged-1"]
    answers = told(server, standin, [ToolUse("Read", {"file_path": str(server.state / name / "x")}) for name in names])
    files = told(server, standin, [ToolUse("Read", {"file_path": str(server.state / name)}) for name in names])
    for name, inner, outer in zip(names, answers, files, strict=True):
        assert "denied" in inner, name
        assert "denied" in outer, name


@pytest.mark.parametrize("name", ["st[ab]te", "]", "s*te", "s?te", "a(1)", "(a", "a{b,c}", "a\\b", "!a"])
def test_any_path(serve: Callable[..., Server], standin: StandIn, tmp_path: Path, name: str) -> None:
    """A state folder is out of reach whatever characters its path has, also those that mean something in a rule."""
    state = tmp_path / name / "state"
    state.mkdir(mode=0o700, parents=True)
    server = serve(CLAUDE_PROXY_STATE_DIR=str(state), **AGENT)
    (state / "shares.json").write_text(SECRET)
    calls = [
        ToolUse("Read", {"file_path": str(state / "shares.json")}),
        ToolUse("Write", {"file_path": str(state / "captures" / "x"), "content": "x"}),
    ]
    read, written = told(server, standin, calls)
    assert "denied" in read
    assert "denied" in written


def test_no_token_in_the_environment(serve: Callable[..., Server], standin: StandIn) -> None:
    """The login's token is neither in a tool's environment nor in that of the CLI that runs it."""
    server = serve(**AGENT)
    command = "env; tr '\\0' '\\n' < /proc/$PPID/environ; ls /proc/$PPID/fd"
    (answer,) = told(server, standin, [bash(f"sh -c {json.dumps(command)}; {command}")])
    assert "HOME=" in answer
    assert hermetic.DUMMY_TOKEN not in answer


def environ_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")
def test_secrets_of_the_server(serve: Callable[..., Server]) -> None:
    """Its keys and the login's token stand in no environment that the system shows, to root either."""
    given = {
        "CLAUDE_PROXY_API_KEYS": f"laptop:{SECRET * 5}",
        "CLAUDE_BIN": str(FAKE_CLAUDE),
        "CLAUDE_PROXY_SPARES": "0",
    }
    server = serve(**given)
    worker = server.worker().pid
    for pid in (server.process.pid, worker):
        assert b"CLAUDE_PROXY_API_KEYS=\0" in environ_of(pid)
        assert SECRET.encode() not in environ_of(pid)
        assert hermetic.DUMMY_TOKEN.encode() not in environ_of(pid)
    # A new worker has them all the same.
    server.worker().kill()
    until(lambda: [child for child in [server.worker()] if child.pid != worker], what="another worker")
    right = {"Authorization": f"Bearer {SECRET * 5}"}
    until(lambda: server.request("GET", "/v1/models", headers=right)[0] == 200, what="the keys")


def test_nobody_looks_in(serve: Callable[..., Server]) -> None:
    """A program of the same user, who is not root, can read nothing of the server's environment."""
    user = confined.ordinary_user()
    if user is None:
        pytest.skip("no ordinary user to be")
    server = serve((*user, *confined.SERVE), CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0")
    for pid in (server.process.pid, server.worker().pid):
        looked = subprocess.run((*user, "cat", f"/proc/{pid}/environ"), capture_output=True, timeout=20, check=False)
        assert looked.returncode != 0
        assert looked.stdout == b""
