"""Requests that are mended instead of refused, on real gunicorn with the real CLI: what the API sees of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from server import Server, events, text_of, until
from talk import Talk, turns

from app.standin import Reply, StandIn, Text, ToolUse

GONE = "[The tool was interrupted; it gave no result.]"
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
HI = {"role": "user", "content": "Hi"}
STOP = {"role": "user", "content": "Stop. What now?"}


def _chat() -> tuple[str, dict[str, Any]]:
    calls = [{"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}} for name in ("a1", "b2")]
    said = {"role": "assistant", "content": None, "tool_calls": calls}
    seen = {"role": "tool", "tool_call_id": "b2", "content": "seen"}
    return "/v1/chat/completions", {"messages": [HI, said, seen, STOP]}


def _responses() -> tuple[str, dict[str, Any]]:
    calls = [{"type": "function_call", "call_id": name, "name": "look", "arguments": "{}"} for name in ("a1", "b2")]
    return "/v1/responses", {
        "input": [HI, *calls, {"type": "function_call_output", "call_id": "b2", "output": "seen"}, STOP]
    }


def _messages() -> tuple[str, dict[str, Any]]:
    calls = [{"type": "tool_use", "id": name, "name": "look", "input": {}} for name in ("a1", "b2")]
    result = {"type": "tool_result", "tool_use_id": "b2", "content": "seen"}
    words = {"type": "text", "text": STOP["content"]}
    history = [HI, {"role": "assistant", "content": calls}, {"role": "user", "content": [result, words]}]
    return "/v1/messages", {"max_tokens": 100, "messages": history}


@pytest.mark.parametrize("ask", [_chat, _responses, _messages])
def test_interrupted(
    ask: Callable[[], tuple[str, dict[str, Any]]], server: Server, standin: StandIn, *, stream: bool
) -> None:
    """A call without a result, before more of the user's words, is told as interrupted, and the answer says so."""
    path, body = ask()
    status, headers, data = server.request("POST", path, {"model": "sonnet", "stream": stream, **body})
    assert (status, headers["x-proxy-interrupted"]) == (200, "a1"), data
    (_, _, (role, blocks)) = turns(standin.messages[-1])
    assert (role, [block["type"] for block in blocks]) == ("user", ["tool_result", "tool_result", "text"])
    # The results stand in the order of their calls, of which the first has none.
    gone, seen, words = blocks
    assert (seen["tool_use_id"], seen.get("is_error", False)) == ("b2", False)
    assert (gone["tool_use_id"], gone["is_error"], GONE in json.dumps(gone)) == ("a1", True, True)
    assert words["text"] == STOP["content"]


def test_interrupted_in_a_session(server: Server, standin: StandIn) -> None:
    """A session whose last answer has calls goes on with words alone, and again after that."""
    tools = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]
    standin.reply = lambda _: Reply((ToolUse("look", {"at": "sky"}),))
    assert server.chat("Look.", tools=tools, session_id="interrupted")[0] == 200
    standin.reply = lambda _: Reply((Text(["Well."]),))
    status, headers, _ = server.chat("Never mind.", tools=tools, session_id="interrupted")
    assert (status, len(headers["x-proxy-interrupted"].split(", "))) == (200, 1)
    assert server.chat("And now?", tools=tools, session_id="interrupted")[0] == 200
    roles = [role for role, _ in turns(standin.messages[-1])]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


def test_interrupted_and_kept(keeping_server: Server, standin: StandIn) -> None:
    """A conversation that was interrupted goes on in the process that has it."""
    talk = Talk(keeping_server, tools=[{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}])
    standin.reply = lambda _: Reply((ToolUse("look", {"at": "sky"}),))
    talk.ask("Look.")
    standin.reply = lambda _: Reply((Text(["Well."]),))
    talk.ask("Never mind.")
    assert talk.ask("And now?") == "kept"
    assert json.dumps(standin.messages[-1]).count(GONE) == 1


def test_namespaces(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A function in a namespace is called by the names its client gave, and the round goes on with them."""
    function = {"type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA}
    space = {"type": "namespace", "name": "mcp__words", "description": "Words.", "tools": [function]}
    body = {"model": "sonnet", "input": "Look.", "tools": [function, space], "stream": stream}
    standin.reply = lambda _: Reply((ToolUse("mcp__words__look", {"at": "sky"}), ToolUse("look", {})))
    status, _, data = server.request("POST", "/v1/responses", body)
    assert status == 200, data
    assert [tool["name"] for tool in standin.messages[-1]["tools"]] == ["look", "mcp__words__look"]
    response = events(data)[-1]["response"] if stream else json.loads(data)
    spaced, plain = response["output"]
    assert (spaced["namespace"], spaced["name"], spaced["arguments"]) == ("mcp__words", "look", '{"at": "sky"}')
    assert (plain["name"], "namespace" in plain) == ("look", False)
    if stream:
        told = [event for event in events(data) if event.get("item", {}).get("type") == "function_call"]
        assert [event["item"].get("namespace") for event in told] == ["mcp__words", "mcp__words", None, None]
        done = [event["name"] for event in events(data) if event["type"] == "response.function_call_arguments.done"]
        assert done == ["look", "look"]
    standin.reply = lambda _: Reply((Text(["Blue."]),))
    outputs = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": "blue"} for call in (spaced, plain)
    ]
    again = {**body, "input": [{"role": "user", "content": "Look."}, spaced, plain, *outputs]}
    assert server.request("POST", "/v1/responses", again)[0] == 200
    calls = [block["name"] for block in turns(standin.messages[-1])[1][1]]
    assert calls == ["mcp__words__look", "look"]
    onward = {**body, "input": outputs, "previous_response_id": response["id"]}
    assert server.request("POST", "/v1/responses", onward)[0] == 200
    assert [block["name"] for block in turns(standin.messages[-1])[1][1]] == calls


def test_input_in_a_chat(server: Server, standin: StandIn, *, stream: bool) -> None:
    """A body for the Responses API, sent as a chat completion, is answered as one."""
    function = {"type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Look."}]},
        {"type": "function_call", "call_id": "a1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a1", "output": "blue"},
    ]
    body = {"model": "sonnet", "instructions": "Be kind.", "input": items, "tools": [function, {"type": "custom"}]}
    status, headers, data = server.request("POST", "/v1/chat/completions", {**body, "stream": stream})
    assert (status, headers["x-proxy-ignored"]) == (200, "tools.custom"), data
    answer = text_of(events(data)) if stream else json.loads(data)["choices"][0]["message"]["content"]
    assert answer == "One two three."
    assert [role for role, _ in turns(standin.messages[-1])] == ["user", "assistant", "user"]
    assert "Be kind." in json.dumps(standin.messages[-1]["system"])


def test_cursor(server: Server, standin: StandIn) -> None:
    """A round in Anthropic's shapes, sent as a chat completion, is native at the API, and its call comes back."""
    tool = {"name": "read_file", "description": "Reads.", "input_schema": SCHEMA}
    standin.reply = lambda _: Reply((ToolUse("read_file", {"at": "sea"}),))
    history = [
        HI,
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "a1", "name": "read_file", "input": {"at": "sky"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a1", "content": "blue"}]},
    ]
    body = {"model": "sonnet", "messages": history, "tools": [tool], "tool_choice": {"type": "auto"}}
    status, _, data = server.request("POST", "/v1/chat/completions", body)
    assert status == 200, data
    (call,) = json.loads(data)["choices"][0]["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("read_file", {"at": "sea"})
    assert [blocks[0]["type"] for _, blocks in turns(standin.messages[-1])] == ["text", "tool_use", "tool_result"]


def test_web_search_that_is_not_allowed(server: Server, standin: StandIn) -> None:
    """Where the operator does not allow Claude Code's search, a client's is left out and named, unless forced."""
    search = {"type": "web_search_20250305", "name": "web_search"}
    body = {"model": "sonnet", "max_tokens": 100, "messages": [HI], "tools": [search]}
    status, headers, _ = server.request("POST", "/v1/messages", body)
    assert (status, headers["x-proxy-ignored"]) == (200, "tools.web_search")
    assert not standin.messages[-1].get("tools")
    forced = {**body, "tool_choice": {"type": "tool", "name": "web_search"}}
    status, _, data = server.request("POST", "/v1/messages", forced)
    assert (status, json.loads(data)["error"]["details"]) == (400, {"error_code": "tool_not_allowed"})
    assert len(standin.messages) == 1


def _attributed(number: int, system: list[dict[str, Any]]) -> dict[str, Any]:
    line = {"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.1.332.{number:03x}; cc_entrypoint=cli;"}
    return {"model": "sonnet", "max_tokens": 100, "system": [line, *system], "messages": [HI]}


def test_attribution(serve: Callable[..., Server], standin: StandIn) -> None:
    """Claude Code's line about itself, which differs with each conversation, keeps no process from the next one.

    The API is asked what a fresh process asks for a prompt without the line.
    """
    server = serve()
    system = [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be brief."}]
    served = []
    for number in range(3):
        until(server.is_whole, 20, what="a whole server")
        status, headers, data = server.request("POST", "/v1/messages", _attributed(number, system))
        assert (status, headers["x-proxy-ignored"]) == (200, "system.x-anthropic-billing-header"), data
        served.append(headers["x-proxy-served"])
    assert served[1:] == ["reused", "reused"]
    plain = {**_attributed(0, system), "system": system}
    assert "x-proxy-ignored" not in server.request("POST", "/v1/messages", plain)[1]
    asked = [{key: value for key, value in body.items() if key != "metadata"} for body in standin.messages]
    assert asked == [asked[-1]] * 4
    assert [block["text"] for block in asked[-1]["system"]][-1] == "Be kind.\n\nBe brief."


def test_attribution_in_a_chat(server: Server, standin: StandIn) -> None:
    """No text of a client's stands in for the line by which the API knows who asks."""
    line = "x-anthropic-billing-header: cc_version=9.9.999.abc; cc_entrypoint=cli;"
    messages = [{"role": "system", "content": f"{line}\n\n{line}\nBe kind."}, HI]
    status, headers, _ = server.chat("", messages=messages)
    assert (status, headers["x-proxy-ignored"]) == (200, "system.x-anthropic-billing-header")
    first, *_, last = [block["text"] for block in standin.messages[-1]["system"]]
    assert (first.startswith("x-anthropic-billing-header"), "9.9.999" in first, last) == (True, False, "Be kind.")


def test_words_between_calls_and_outputs(server: Server, standin: StandIn) -> None:
    """A response's input with the assistant's words between calls and their outputs reaches the API in its order."""
    calls = [{"type": "function_call", "call_id": name, "name": "look", "arguments": "{}"} for name in ("a1", "b2")]
    outputs = [{"type": "function_call_output", "call_id": name, "output": f"seen {name}"} for name in ("a1", "b2")]
    words = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
    body = {"model": "sonnet", "input": [HI, *calls, words, *outputs]}
    status, _, data = server.request("POST", "/v1/responses", body)
    assert status == 200, data
    (_, (said, first), (answered, second)) = turns(standin.messages[-1])
    assert (said, [block["type"] for block in first]) == ("assistant", ["text", "tool_use", "tool_use"])
    assert (answered, [block["tool_use_id"] for block in second]) == ("user", ["a1", "b2"])


@pytest.mark.parametrize("ask", [_chat, _responses, _messages])
def test_two_results(ask: Callable[[], tuple[str, dict[str, Any]]], server: Server, standin: StandIn) -> None:
    """A second, other result of a call is refused with the words for it, and nothing is asked."""
    path, body = ask()
    if path == "/v1/responses":
        body["input"][-1:] = [{"type": "function_call_output", "call_id": "b2", "output": "seen again"}]
        place = "input[4].call_id"
    elif path == "/v1/messages":
        content = body["messages"][-1]["content"]
        content[1:] = [{**content[0], "content": "seen again"}]
        place = "messages[2].content[1].tool_use_id"
    else:
        body["messages"][-1] = {"role": "tool", "tool_call_id": "b2", "content": "seen again"}
        place = "messages[3].tool_call_id"
    status, _, data = server.request("POST", path, {"model": "sonnet", **body})
    assert status == 400
    assert json.loads(data)["error"]["message"].startswith(f"{place} 'b2' has another result already")
    assert standin.messages == []


LEFT_OUT = [
    (
        "/v1/messages",
        {"thinking": {"type": "adaptive", "display": "updates"}, "output_config": {"effort": "deepest"}},
        "thinking.display, output_config.effort",
    ),
    ("/v1/messages", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools.bash_20250124"),
    ("/v1/chat/completions", {"reasoning_effort": "deepest"}, "reasoning_effort"),
    (
        "/v1/chat/completions",
        {"tools": [{"type": "custom", "custom": {"name": "a"}}, {"type": "web_search"}]},
        "tools.custom, tools.web_search",
    ),
    ("/v1/responses", {"reasoning": {"effort": "deepest"}}, "reasoning.effort"),
    (
        "/v1/responses",
        {"tools": [{"type": kind} for kind in ("custom", "local_shell", "file_search", "web_search")]},
        "tools.custom, tools.local_shell, tools.file_search, tools.web_search",
    ),
]


@pytest.mark.parametrize(("path", "fields", "named"), LEFT_OUT)
def test_left_out(server: Server, standin: StandIn, path: str, fields: dict[str, Any], named: str) -> None:
    """What is not known of an option that only tunes, and tools that are not offered here, are left out and named."""
    said = {"input": "Hi"} if path == "/v1/responses" else {"messages": [HI], "max_tokens": 2000}
    status, headers, data = server.request("POST", path, {"model": "sonnet", **said, **fields})
    assert (status, headers.get("x-proxy-ignored")) == (200, named), data
    assert not standin.messages[-1].get("tools")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_forced_tool(server: Server, standin: StandIn, path: str) -> None:
    """Where the request forces a tool that is not offered here, it is refused, and nothing is asked."""
    said = {"input": "Hi"} if path == "/v1/responses" else {"messages": [HI]}
    forced = {"type": "custom", "name": "a"}
    status, _, data = server.request(
        "POST", path, {"model": "sonnet", **said, "tools": [forced], "tool_choice": forced}
    )
    assert (status, json.loads(data)["error"]["param"]) == (400, "tool_choice.type")
    assert standin.messages == []
