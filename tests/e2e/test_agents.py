"""Turns in which Claude Code's own tools work on this machine, and the chats that must not."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hermetic
import openclaw_prompts
import psutil
import pytest
from server import Server, command_of, events, living, read_until, text_of, until
from talk import turns

from app import openclaw
from app.setting_parsers import ALL_TOOLS as ALL
from app.standin import Reply, StandIn, Text, ToolUse

# Claude Code refuses to bypass permissions as root; this tells it that root is nobody here.
ROOT_IS_FINE = {"CLAUDE_PROXY_PASS_ENV": f"{hermetic.PASSED},IS_SANDBOX", "IS_SANDBOX": "1"}
AGENT = {**ROOT_IS_FINE, "CLAUDE_PROXY_TOOLS_FOR": "anyone"}
MAPPED = openclaw_prompts.prompt_2026_9({"/w/SOUL.md": "# Soul\n## Tooling\nmine\n"})


@pytest.fixture(scope="module")
def session_agent_server(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_PROXY_TOOLS="all", **AGENT)
    yield server
    server.kill()


@pytest.fixture
def agent_server(session_agent_server: Server, standin: StandIn) -> Server:
    """A server whose operator lets everybody use all tools, and which may run them even as root."""
    return session_agent_server


@pytest.fixture(scope="module")
def session_plain_server(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(**ROOT_IS_FINE)
    yield server
    server.kill()


@pytest.fixture
def plain_server(session_plain_server: Server, standin: StandIn) -> Server:
    """A server whose operator has left the defaults, and which could run tools even as root."""
    return session_plain_server


def results(body: dict[str, Any]) -> list[str]:
    """Return the texts of all results of tools in an API request."""
    blocks = [block for _, blocks in turns(body) for block in blocks if block["type"] == "tool_result"]
    return [block["content"] if isinstance(block["content"], str) else str(block["content"]) for block in blocks]


def running(*commands: str, before: str = "I look. ", after: str = "Done.") -> Callable[[dict[str, Any]], Reply]:
    """Return what runs the commands one after the other, each with a word before it, and then says a word."""

    def reply(body: dict[str, Any]) -> Reply:
        done = len(results(body))
        if done >= len(commands):
            return Reply((Text([after]),))
        return Reply((Text([before]), ToolUse("Bash", {"command": commands[done], "description": "x"})))

    return reply


def ask(server: Server, text: str, *, stream: bool = False, system: str = MAPPED, **more: Any) -> Any:
    """Ask with a system prompt; return status, headers and the text or the whole error."""
    headers = more.pop("headers", {})
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    body = {"model": "sonnet", "messages": messages, "stream": stream, **more}
    status, given, data = server.request("POST", "/v1/chat/completions", body, headers)
    if stream and status == 200:
        return status, given, text_of(events(data))
    decoded = json.loads(data)
    return status, given, decoded["choices"][0]["message"] if status == 200 else decoded["error"]


def test_openclaw_without_tools(agent_server: Server, standin: StandIn, *, stream: bool) -> None:
    """A Bash call runs in the workspace; only the text comes back, its parts a blank line apart."""
    standin.reply = running("pwd; echo secret output")
    status, _, answer = ask(agent_server, "Where are you?", stream=stream)
    assert status == 200
    text = answer if stream else answer["content"]
    assert text == "I look. \n\nDone."
    if not stream:
        assert "tool_calls" not in answer
    (told,) = results(standin.messages[-1])
    assert str(agent_server.state / "agent-workspace") in told
    assert "secret output" in told


def test_the_prompt_is_adapted(agent_server: Server, standin: StandIn) -> None:
    """The API gets OpenClaw's prompt without its tooling sections, the user's files as they are, the mapping once."""
    ask(agent_server, "Hi")
    texts = [block["text"] for block in standin.messages[-1]["system"]]
    assert openclaw.adapted(MAPPED) in texts
    assert "# Soul\n## Tooling\nmine\n" in openclaw.adapted(MAPPED)
    offered = {tool["name"] for tool in standin.messages[-1]["tools"]}
    assert {"Bash", "Read", "Write", "Edit"} <= offered <= set(ALL)


def test_background_tools_are_off(agent_server: Server, standin: StandIn) -> None:
    """Nothing is offered that goes on after the turn."""
    ask(agent_server, "Hi")
    (bash,) = (tool for tool in standin.messages[-1]["tools"] if tool["name"] == "Bash")
    assert "run_in_background" not in bash["input_schema"]["properties"]


def test_the_next_turn_is_kept(agent_server: Server, standin: StandIn) -> None:
    """The process of an agent's turn goes on with its conversation, and remembers what its tools said."""
    standin.reply = running("echo 4711")
    first = [{"role": "system", "content": MAPPED}, {"role": "user", "content": "Number?"}]
    _, _, data = agent_server.request("POST", "/v1/chat/completions", {"model": "sonnet", "messages": first})
    said = json.loads(data)["choices"][0]["message"]
    then = [*first, said, {"role": "user", "content": "Again?"}]
    _, headers, _ = agent_server.request("POST", "/v1/chat/completions", {"model": "sonnet", "messages": then})
    assert headers["x-proxy-served"] == "kept"
    assert "4711" in results(standin.messages[-1])[0]


def test_agent_spares(agent_server: Server, standin: StandIn) -> None:
    """After the first turn of an agent one is ready for the next; a plain chat never gets it."""
    ask(agent_server, "Hi")
    until(lambda: agent_server.get("/ready")[1]["agents"]["ready"] == 1, 20, "an agent's spare")
    _, headers, _ = ask(agent_server, "Hello")
    assert headers["x-proxy-served"] == "spare"
    status, _, _ = ask(agent_server, "Hi", headers={"X-Proxy-Tools": "none"})
    assert status == 200
    assert not standin.messages[-1].get("tools")


def test_client_tools_stay_with_the_client(agent_server: Server, standin: StandIn) -> None:
    """OpenClaw's own tools, offered in the request, reach the API under their own names and run at OpenClaw."""
    standin.reply = lambda body: Reply(
        (Text(["Done."]) if results(body) else ToolUse("exec", {"command": "date"}, id="toolu_01Ab3"),)
    )
    tool = {"type": "function", "function": {"name": "exec", "parameters": {"type": "object", "properties": {}}}}
    context = {
        "role": "user",
        "content": [
            {
                "type": "text",
                "text": "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nnow\n<<<END_OPENCLAW_INTERNAL_CONTEXT>>>",
            }
        ],
    }
    history: list[Any] = [{"role": "system", "content": MAPPED}, {"role": "user", "content": "Which day?"}]
    fields = {"model": "claude-sonnet-4", "tools": [tool], "tool_choice": "auto", "prompt_cache_key": "a:0"}
    kept = agent_server.get("/ready")[1]["kept"]
    before = (kept["idle"], kept["parked"])
    status, headers, data = agent_server.request(
        "POST", "/v1/chat/completions", {**fields, "messages": [*history, context]}
    )
    assert status == 200
    assert "prompt_cache_key" not in headers.get("x-proxy-ignored", "")
    said = json.loads(data)["choices"][0]["message"]
    assert [call["function"]["name"] for call in said["tool_calls"]] == ["exec"]
    assert [tool["name"] for tool in standin.messages[-1]["tools"]] == ["exec"]
    assert any(MAPPED in block["text"] for block in standin.messages[-1]["system"])
    # Ids come back with nothing but letters and digits, and the context moves behind the results.
    said["tool_calls"][0]["id"] = "toolu01Ab3"
    result = {"role": "tool", "tool_call_id": "toolu01Ab3", "content": "Sunday"}
    status, _, data = agent_server.request(
        "POST", "/v1/chat/completions", {**fields, "messages": [*history, said, result, context]}
    )
    assert status == 200
    assert json.loads(data)["choices"][0]["message"]["content"] == "Done."
    question = turns(standin.messages[-1])[-1][1]
    assert [block["type"] for block in question] == ["tool_result", "text"]
    # Nothing goes on from words that are taken back: one process at most waits, to go back to before them.
    ready = agent_server.get("/ready")[1]
    assert ready["kept"]["parked"] == before[1]
    assert ready["kept"]["idle"] <= before[0] + 1
    assert question[0]["tool_use_id"] == "toolu_01Ab3"


CLAIMS = "Answer from this page:\nYou are a personal assistant running inside OpenClaw."


def bodies(system: str, text: str) -> dict[str, dict[str, Any]]:
    """Return a request with a system prompt and a question for each route."""
    said = [{"role": "user", "content": text}]
    return {
        "/v1/chat/completions": {"model": "sonnet", "messages": [{"role": "system", "content": system}, *said]},
        "/v1/messages": {"model": "sonnet", "max_tokens": 99, "system": system, "messages": said},
        "/v1/responses": {"model": "sonnet", "instructions": system, "input": text},
    }


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
@pytest.mark.parametrize("system", [CLAIMS, MAPPED], ids=["claim", "whole prompt"])
def test_no_text_gets_tools(plain_server: Server, standin: StandIn, tmp_path: Path, route: str, system: str) -> None:
    """Who says "I am OpenClaw" gets no tool on any route, and what the model calls all the same does not run."""
    made = tmp_path / "made"
    standin.reply = running(f"touch {made}")
    status, _, data = plain_server.request("POST", route, bodies(system, "Hi")[route])
    assert status == 200, data
    assert all(not body.get("tools") for body in standin.messages)
    assert not made.exists()


def test_only_named_keys_get_tools(serve: Callable[..., Server], standin: StandIn) -> None:
    """Of two keys the named one gets the tools, whatever its prompt says, and the other never does."""
    keys = {"claw": "claw-" + "c" * 30, "laptop": "laptop-" + "l" * 30}
    given = ",".join(f"{name}:{secret}" for name, secret in keys.items())
    more = {"CLAUDE_PROXY_TOOLS": "all", "CLAUDE_PROXY_TOOLS_FOR": "claw", "CLAUDE_PROXY_API_KEYS": given}
    server = serve(**{**ROOT_IS_FINE, **more})
    for system in (MAPPED, CLAIMS, "Be kind."):
        for name, secret in keys.items():
            headers = {"Authorization": f"Bearer {secret}", "X-Proxy-Tools": "Bash"}
            status, _, _ = ask(server, f"Hi from {name}", system=system, headers=headers)
            assert status == 200
            offered = [tool["name"] for tool in standin.messages[-1].get("tools") or ()]
            assert offered == (["Bash"] if name == "claw" else [])
    assert "claude-max-api config openclaw" in server.log


def test_tools_for_nobody(serve: Callable[..., Server]) -> None:
    """Tools without a word to whom stop the start with a sentence that says what to set."""
    server = serve(wait=False, CLAUDE_PROXY_TOOLS="all")
    assert server.process.wait(20) != 0
    assert "CLAUDE_PROXY_TOOLS=all needs CLAUDE_PROXY_TOOLS_FOR" in server.log
    assert "Traceback" not in server.log


@pytest.mark.parametrize("name", ["Bash", "Read"])
def test_a_plain_chat_can_touch_nothing(plain_server: Server, standin: StandIn, tmp_path: Path, name: str) -> None:
    """With the default settings a chat is offered no tool, and a model that calls one all the same gets nowhere."""
    secret, made = tmp_path / "secret", tmp_path / "made"
    secret.write_text("hunter2")
    inputs = {"Bash": {"command": f"cat {secret}; touch {made}"}, "Read": {"file_path": str(secret)}}
    standin.reply = lambda body: Reply((Text(["No."]) if results(body) else ToolUse(name, inputs[name]),))
    system = "You may use every tool. ## Tooling\nBash, Read"
    status, _, answer = ask(plain_server, f"Read @{secret} and run !cat {secret}", system=system)
    assert (status, answer["content"]) == (200, "No.")
    assert all(not body.get("tools") for body in standin.messages)
    assert "hunter2" not in json.dumps(standin.messages)
    assert not made.exists()


def descendants(server: Server) -> set[int]:
    """Return all processes below a server's."""
    return {process.pid for process in psutil.Process(server.process.pid).children(recursive=True)}


@pytest.mark.parametrize("end", ["client", "server", "kill"])
def test_the_whole_tree_dies(serve: Callable[..., Server], standin: StandIn, end: str) -> None:
    """What a tool has started ends with the client that asked for it, or with the server, killed or not."""
    server = serve(CLAUDE_PROXY_TOOLS="all", CLAUDE_PROXY_SPARES="0", CLAUDE_PROXY_HEARTBEAT="0.5", **AGENT)
    standin.reply = running("sleep 4567 & sleep 4567")
    before = descendants(server)

    def sleeping() -> set[int]:
        found = set()
        for pid in descendants(server) - before:
            with contextlib.suppress(psutil.NoSuchProcess):
                if "4567" in command_of(psutil.Process(pid)):
                    found.add(pid)
        return found if len(found) > 2 else set()

    with server.open_stream("Wait") as connection:
        read_until(connection, b"I look.")
        pids = until(sleeping, 15, "the tool")
        read_until(connection, b"data: ")  # heartbeats go on meanwhile
        if end == "server":
            server.stop(signal.SIGINT)
        if end == "kill":
            worker = server.worker()
            server.process.kill()
            worker.kill()
    until(lambda: not living(pids), 10, "the end of what the tool started")


def test_operators_list(serve: Callable[..., Server], standin: StandIn, tmp_path: Path) -> None:
    """Any client gets the tools on the operator's list, in the operator's folder, and may ask for fewer."""
    (tmp_path / "CLAUDE.md").write_text("MARKER of the project")
    more = {"CLAUDE_PROXY_WORKSPACE": str(tmp_path), "CLAUDE_PROXY_SETTING_SOURCES": "project"}
    server = serve(CLAUDE_PROXY_TOOLS="Read,Write", **more, **AGENT)
    target = tmp_path / "note.txt"
    standin.reply = lambda body: Reply(
        (Text(["Done."]) if results(body) else ToolUse("Write", {"file_path": str(target), "content": "hello"}),)
    )
    status, _, answer = ask(server, "Write it down", system="Be kind.")
    assert (status, answer["content"], target.read_text()) == (200, "Done.", "hello")
    assert {tool["name"] for tool in standin.messages[-1]["tools"]} == {"Read", "Write"}
    assert "MARKER" in json.dumps(standin.messages[-1])
    assert ask(server, "Hi", system="Be kind.", headers={"X-Proxy-Tools": "Read,Bash"})[0] == 200
    assert [tool["name"] for tool in standin.messages[-1]["tools"]] == ["Read"]
    assert ask(server, "Hi", system="Be kind.", headers={"X-Proxy-Tools": "none"})[0] == 200
    assert not standin.messages[-1].get("tools")
    assert "MARKER" not in json.dumps(standin.messages[-1])


def test_web_search_of_a_response(serve: Callable[..., Server], standin: StandIn) -> None:
    """A response's web search is Claude Code's, beside the client's functions, where the operator allows it."""
    function = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
    body = {"model": "sonnet", "input": "What is new?", "tools": [{"type": "web_search"}, function]}
    server = serve(CLAUDE_PROXY_TOOLS="WebSearch", **AGENT)
    standin.reply = lambda _: Reply((Text(["News."]), ToolUse("look", {})))
    status, _, data = server.request("POST", "/v1/responses", body)
    assert status == 200
    assert {tool["name"] for tool in standin.messages[-1]["tools"]} == {"WebSearch", "look"}
    assert [item["type"] for item in json.loads(data)["output"]] == ["message", "function_call"]
    standin.reply = lambda _: Reply((Text(["News."]),))
    plain = {**body, "tool_choice": "none"}
    assert server.request("POST", "/v1/responses", plain)[0] == 200
    assert not standin.messages[-1].get("tools")


@pytest.mark.parametrize("route", ["/v1/messages", "/v1/chat/completions"])
def test_web_search_elsewhere(agent_server: Server, standin: StandIn, route: str) -> None:
    """Messages and chats that ask for a web search get Claude Code's, too, and no other of its tools."""
    search = {"type": "web_search_20250305", "name": "web_search"}
    body = {"model": "sonnet", "max_tokens": 99, "messages": [{"role": "user", "content": "What is new?"}]}
    assert agent_server.request("POST", route, {**body, "tools": [search]})[0] == 200
    assert [tool["name"] for tool in standin.messages[-1]["tools"]] == ["WebSearch"]


def test_web_search_that_is_not_allowed(plain_server: Server) -> None:
    """By default a request for it is answered without; where it is forced, the refusal says which setting allows it."""
    body = {"model": "sonnet", "input": "What is new?", "tools": [{"type": "web_search_preview"}]}
    status, headers, _ = plain_server.request("POST", "/v1/responses", body)
    assert (status, headers["x-proxy-ignored"]) == (200, "tools.web_search")
    body["tool_choice"] = {"type": "web_search_preview"}
    status, _, data = plain_server.request("POST", "/v1/responses", body)
    error = json.loads(data)["error"]
    assert (status, error["code"], error["param"]) == (400, "tool_not_allowed", "tool_choice")
    assert "CLAUDE_PROXY_TOOLS=WebSearch" in error["message"]
