"""Agents by name: a model, tools, MCP servers and a folder behind a model's name, each with nothing of another's."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hermetic
import pytest
from server import Server, command_of, free_port, until
from talk import Talk, turns

from app.config_reading import Reading
from app.console.doctor import claude_checks
from app.console.doctor.case import Case
from app.console.machine import Machine
from app.standin import Reply, StandIn, Text, ToolUse

KEYS = {"kitchen": f"kitchen-{'k' * 30}", "desk": f"desk-{'d' * 30}"}
HOME = Path(__file__).parent.parent / "mcp_home.py"
CONFIG = """
spares = 0
api_keys = [{keys}]

[agents.house]
model = "sonnet"
tools = ["mcp:home"]
keys = ["kitchen"]
system = "You look after a house."
effort = "low"

[agents.notes]
model = "haiku"
workspace = "notes"
tools = ["Read", "Grep", "Edit", "Write", "Bash(git log:*)"]
keys = "anyone"
folders = true

[agents.plain]
model = "opus"
keys = ["desk"]
system = "Be brief."

[agents.broken]
model = "sonnet"
tools = ["mcp:broken"]
keys = ["kitchen"]

[mcp.home]
command = "{python}"
args = ["{home}"]
env = {{ HOME_STATE = "$HOME_STATE" }}

[mcp.broken]
command = "{python}"
args = ["{home}"]
env = {{ HOME_STATE = "broken" }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the configuration, in which the notes are, and beside them a secret and ways to it."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "notes" / "garden").mkdir(parents=True)
    (folder / "notes" / "plan.txt").write_text("sow in March")
    (folder / "secret.txt").write_text("hunter2")
    (folder / "notes" / "link.txt").symlink_to(folder / "secret.txt")
    (folder / "notes" / "out").symlink_to(folder)
    return folder


@pytest.fixture(scope="module")
def session_agents(session_serve: Callable[..., Server], folder: Path) -> Iterator[Server]:
    keys = ", ".join(f'"{name}:{secret}"' for name, secret in KEYS.items())
    (folder / "config.toml").write_text(CONFIG.format(keys=keys, python=sys.executable, home=HOME))
    (folder / "config.toml").chmod(0o600)
    server = session_serve(
        wait=False, CLAUDE_PROXY_CONFIG=str(folder / "config.toml"), HOME_STATE="ann", HOME_TOKEN="not-named"
    )
    yield server.wait()
    server.kill()


@pytest.fixture
def agents(session_agents: Server, standin: StandIn) -> Server:
    """A server with the table above."""
    return session_agents


def results(body: dict[str, Any]) -> list[str]:
    """Return the texts of all results of tools in an API request."""
    blocks = [block for _, blocks in turns(body) for block in blocks if block["type"] == "tool_result"]
    return [block["content"] if isinstance(block["content"], str) else json.dumps(block["content"]) for block in blocks]


def calling(*calls: tuple[str, dict[str, Any]]) -> Callable[[dict[str, Any]], Reply]:
    """Return what makes the calls one after the other, and then says a word."""

    def reply(body: dict[str, Any]) -> Reply:
        done = len(results(body))
        return Reply((Text(["Done."]) if done >= len(calls) else ToolUse(*calls[done]),))

    return reply


def ask(
    server: Server, model: str, key: str, text: str = "Hi", headers: dict[str, str] | None = None, **more: Any
) -> Any:
    """Ask; return the status, the headers, and the text or the error."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    given = {"Authorization": f"Bearer {KEYS[key]}", **(headers or {})}
    status, told, data = server.request("POST", "/v1/chat/completions", body, given, timeout=60)
    decoded = json.loads(data)
    return status, told, decoded["choices"][0]["message"]["content"] if status == 200 else decoded["error"]


def names(server: Server, key: str) -> set[str]:
    """Return the models that a key gets to see."""
    _, _, data = server.request("GET", "/v1/models", headers={"Authorization": f"Bearer {KEYS[key]}"})
    return {entry["id"] for entry in json.loads(data)["data"]}


def test_an_mcp_server_of_an_agent(agents: Server, standin: StandIn) -> None:
    """The model gets the server's tools and their results, the system prompt and the effort of the row."""
    standin.reply = calling(("mcp__home__switch", {"lamp": "hall"}))
    status, _, text = ask(agents, "house", "kitchen")
    assert (status, text) == (200, "Done.")
    asked = standin.messages[-1]
    assert {tool["name"] for tool in asked["tools"]} == {
        f"mcp__home__{name}" for name in ("switch", "surroundings", "die")
    }
    assert "sonnet" in asked["model"]
    assert any("You look after a house." in block["text"] for block in asked["system"])
    assert "hall is on now, says ann" in results(asked)[0]


def test_what_an_mcp_server_sees(agents: Server, standin: StandIn) -> None:
    """Of the environment it gets what a program needs to run, and what its row names."""
    standin.reply = calling(("mcp__home__surroundings", {}))
    assert ask(agents, "house", "kitchen")[0] == 200
    (told,) = results(standin.messages[-1])
    seen = json.loads(json.loads(told)["result"])
    assert seen["environ"]["HOME_STATE"] == "ann"
    needed = {"PATH", "HOME", "LANG", "LC_CTYPE", "CLAUDE_PROXY_PROCESS", "HOME_STATE"}
    assert set(seen["environ"]) <= needed
    assert seen["folder"] == str(agents.state / "agent-workspaces" / "house")


def test_an_mcp_server_that_does_not_start(agents: Server, standin: StandIn) -> None:
    """Its agent's request is a 502 that names it; the log has its last words, and no token was spent."""
    status, _, error = ask(agents, "broken", "kitchen")
    assert (status, error["code"]) == (502, "mcp_server_failed")
    assert "The MCP server broken does not start" in error["message"]
    assert "the key in HOME_TOKEN is refused" in agents.log
    assert standin.messages == []


def test_an_mcp_server_that_dies(agents: Server, standin: StandIn) -> None:
    """The model learns that its call has failed and the turn goes on; the next one has the server again."""
    standin.reply = calling(("mcp__home__die", {}))
    status, _, text = ask(agents, "house", "kitchen", "Die")
    assert (status, text) == (200, "Done.")
    assert "Connection closed" in results(standin.messages[-1])[0]
    standin.reply = calling(("mcp__home__switch", {"lamp": "hall"}))
    assert ask(agents, "house", "kitchen", "Again")[0] == 200
    assert "hall is on now" in results(standin.messages[-1])[0]


def test_the_doctor_starts_them(agents: Server, standin: StandIn, folder: Path, claude: Path, tmp_path: Path) -> None:
    """It starts each MCP server, lists the tools of those that do, and says what the others said last."""
    env = hermetic.environment(tmp_path, standin.url, CLAUDE_BIN=str(claude), PORT=str(free_port()))
    env |= {"CLAUDE_PROXY_CONFIG": str(folder / "config.toml"), "HOME_STATE": "ann"}
    case = Case(Machine(), Reading.of(env), None, binary=claude, usable=True)
    found = claude_checks.mcp_servers(case)
    assert (found.verdict, found.text.partition(" ")[0]) == ("fail", "broken")
    assert sorted(found.lines) == [
        "broken: Connection closed; it said: the key in HOME_TOKEN is refused",
        "home: switch, surroundings, die",
    ]
    assert standin.messages == []


def test_keys(agents: Server, standin: StandIn) -> None:
    """A key neither sees nor can call an agent that is not its own; to it there is no such name."""
    assert names(agents, "kitchen") & {"house", "notes", "plain", "broken"} == {"house", "notes", "broken"}
    assert names(agents, "desk") & {"house", "notes", "plain", "broken"} == {"notes", "plain"}
    for path, key in (("house", "desk"), ("claude-max/House", "desk"), ("plain", "kitchen")):
        status, _, error = ask(agents, path, key)
        assert (status, error["code"]) == (404, "model_not_found")
        status, _, _ = agents.request("GET", f"/v1/models/{path}", headers={"x-api-key": KEYS[key]})
        assert status == 404
    assert standin.messages == []
    _, _, data = agents.request("GET", "/v1/models/house", headers={"x-api-key": KEYS["kitchen"]})
    assert json.loads(data)["description"].endswith("with mcp:home")


def test_the_tools_of_files_stay_in_the_workspace(agents: Server, standin: StandIn, folder: Path) -> None:
    """What is in it can be read and changed; what is not cannot, be it by a path, `..` or a link."""
    made = folder / "notes" / "made.txt"
    outside = [
        ("Read", {"file_path": str(folder / "secret.txt")}),
        ("Read", {"file_path": "../secret.txt"}),
        ("Read", {"file_path": "link.txt"}),
        ("Read", {"file_path": str(agents.state / "sessions.db")}),
        ("Grep", {"pattern": "hunter", "path": "out", "output_mode": "content"}),
        ("Write", {"file_path": str(folder / "stolen.txt"), "content": "x"}),
        ("Write", {"file_path": "out/stolen.txt", "content": "x"}),
        ("Bash", {"command": f"cat {folder / 'secret.txt'}", "description": "x"}),
    ]
    inside = [("Read", {"file_path": "plan.txt"}), ("Write", {"file_path": str(made), "content": "x"})]
    standin.reply = calling(*inside, *outside)
    assert ask(agents, "notes", "desk")[0] == 200
    told = results(standin.messages[-1])
    assert "sow in March" in told[0]
    assert made.read_text() == "x"
    assert len(told) == len(inside) + len(outside)
    assert all("Permission to use" in text or "is denied" in text for text in told[2:]), told
    assert "hunter2" not in json.dumps(standin.messages)
    assert not (folder / "stolen.txt").exists()


def test_folders(agents: Server, standin: StandIn, folder: Path) -> None:
    """A request works in a folder below the workspace where it names one, and nowhere else."""
    standin.reply = calling(("Write", {"file_path": "here.txt", "content": "x"}))
    assert ask(agents, "notes", "desk", headers={"X-Proxy-Folder": "garden"})[0] == 200
    assert (folder / "notes" / "garden" / "here.txt").exists()
    standin.reply = calling(("Write", {"file_path": "there.txt", "content": "x"}))
    status, headers, _ = ask(agents, "notes", "desk", metadata={"folder": "./garden/"})
    assert (status, "metadata" in headers.get("x-proxy-ignored", "")) == (200, False)
    assert (folder / "notes" / "garden" / "there.txt").exists()
    before = len(standin.messages)
    for outside in ("..", "out", "garden/../..", str(folder), "plan.txt", "none", "out/notes/../..", "\0", "x" * 5000):
        status, _, error = ask(agents, "notes", "desk", metadata={"folder": outside})
        assert (status, error["param"]) == (400, "metadata.folder"), outside
    assert ask(agents, "house", "kitchen", headers={"X-Proxy-Folder": "x"})[2]["param"] == "metadata.folder"
    assert len(standin.messages) == before


def test_a_client_s_tools_on_top(agents: Server, standin: StandIn) -> None:
    """The client's calls are its own, the agent's run here, in one turn."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}

    def reply(body: dict[str, Any]) -> Reply:
        return Reply((ToolUse("look", {}) if results(body) else ToolUse("mcp__home__switch", {"lamp": "hall"}),))

    standin.reply = reply
    body = {"model": "house", "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]}
    _, _, data = agents.request("POST", "/v1/chat/completions", body, {"x-api-key": KEYS["kitchen"]})
    (call,) = json.loads(data)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "look"
    assert {"look", "mcp__home__switch"} <= {tool["name"] for tool in standin.messages[-1]["tools"]}


def test_less_than_there_is(agents: Server, standin: StandIn) -> None:
    """A client may ask for less: some of the tools, or none."""
    assert ask(agents, "notes", "desk", headers={"X-Proxy-Tools": "Read, WebSearch"})[0] == 200
    assert [tool["name"] for tool in standin.messages[-1]["tools"]] == ["Read"]
    assert ask(agents, "house", "kitchen", headers={"X-Proxy-Tools": "none"})[0] == 200
    assert not standin.messages[-1].get("tools")
    assert ask(agents, "plain", "desk")[0] == 200
    assert not standin.messages[-1].get("tools")


CLOCK = """
[agents.clock]
model = "sonnet"
tools = ["mcp:time"]
keys = "anyone"

[mcp.time]
command = "{python}"
args = ["-m", "mcp_server_time", "--local-timezone", "{zone}"]
"""


def test_a_published_mcp_server(serve: Callable[..., Server], standin: StandIn, tmp_path: Path) -> None:
    """One from PyPI is listed and called; one that is killed in mid-call fails that call, and the next has it again."""
    (tmp_path / "config.toml").write_text(CLOCK.format(python=sys.executable, zone="Asia/Tokyo"))
    server = serve(CLAUDE_PROXY_CONFIG=str(tmp_path / "config.toml"), CLAUDE_PROXY_SPARES="0")
    noon = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}

    def reply(body: dict[str, Any]) -> Reply:
        called = len(results(body)) >= json.dumps(body["messages"]).count("What time")
        return Reply((Text(["Done."]) if called else ToolUse("mcp__time__convert_time", noon),))

    standin.reply = reply
    talk = Talk(server, model="clock")
    talk.ask("What time is it?")
    asked = standin.messages[-1]
    assert {tool["name"] for tool in asked["tools"]} == {"mcp__time__get_current_time", "mcp__time__convert_time"}
    assert "T21:00:00+09:00" in results(asked)[-1]
    started = server.worker().children(recursive=True)
    (clock,) = [one for one in started if "-m mcp_server_time" in command_of(one)]
    clock.suspend()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        turn = pool.submit(talk.ask, "What time is it now?")
        until(lambda: standin.requests[2:] and standin.active == 0, what="the call")
        time.sleep(0.2)  # the CLI passes it on
        clock.kill()
        assert turn.result(30) == "kept"
    assert "T21:00:00+09:00" not in results(standin.messages[-1])[-1]
    talk.ask("What time is it at last?")
    assert "T21:00:00+09:00" in results(standin.messages[-1])[-1]


def test_a_published_mcp_server_that_does_not_start(serve: Callable[..., Server], tmp_path: Path) -> None:
    """What it says when it gives up is in the log."""
    (tmp_path / "config.toml").write_text(CLOCK.format(python=sys.executable, zone="Atlantis"))
    server = serve(CLAUDE_PROXY_CONFIG=str(tmp_path / "config.toml"), CLAUDE_PROXY_SPARES="0")
    status, _, data = server.chat("Hi", model="clock")
    assert (status, data["error"]["code"]) == (502, "mcp_server_failed")
    assert "Atlantis" in server.log


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_over_http(serve: Callable[..., Server], standin: StandIn, tmp_path: Path, kind: str) -> None:
    """A server that is spoken to over HTTP is called alike, also when it ends in mid-call; where none is, a 502."""
    port, (transport, path) = free_port(), {"http": ("streamable-http", "mcp"), "sse": ("sse", "sse")}[kind]
    config = 'spares = 0\n[agents.house]\nmodel = "sonnet"\ntools = ["mcp:home"]\nkeys = "anyone"\n[mcp.home]\n'
    (tmp_path / "config.toml").write_text(f'{config}type = "{kind}"\nurl = "http://127.0.0.1:{port}/{path}"\n')
    server = serve(CLAUDE_PROXY_CONFIG=str(tmp_path / "config.toml"))
    status, _, data = server.chat("Hi", model="house")
    assert (status, data["error"]["code"]) == (502, "mcp_server_failed")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HOME_STATE": "web"}
    with subprocess.Popen([sys.executable, HOME, str(port), transport], env=env, stderr=subprocess.DEVNULL) as home:
        try:
            until(lambda: _listens(port), 30, "the MCP server")
            standin.reply = calling(("mcp__home__switch", {"lamp": "hall"}), ("mcp__home__die", {}))
            assert server.chat("Hi", model="house")[0] == 200
            told = results(standin.messages[-1])
            assert "hall is on now, says web" in told[0]
            assert "closed" in told[1]
        finally:
            home.kill()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
