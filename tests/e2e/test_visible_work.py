"""Agents whose clients see what they do, and searches whose sources come along: the real CLI, in every dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import hermetic
import pytest
from server import Server, events

from app.dialects.anthropic.blocks import SHOWN
from app.standin import Reply, SearchResults, StandIn, Text, ToolUse, WebSearch

TALKER, SECRET = "talker-" + "t" * 30, "worker-" + "w" * 30
WORKS = {"Authorization": f"Bearer {SECRET}"}
STEPS = {**WORKS, "X-Proxy-Show": "steps"}
SEEN = "Bash: echo one; echo two\n  one (1 more line)\n"
ANSWER = "I look. \n\nDone."
ROUTES = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/api/chat")


@pytest.fixture(scope="module")
def session_agent_server(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(
        CLAUDE_PROXY_TOOLS="Bash,WebSearch",
        CLAUDE_PROXY_TOOLS_FOR="worker",
        CLAUDE_PROXY_API_KEYS=f"worker:{SECRET},talker:{TALKER}",
        CLAUDE_PROXY_PASS_ENV=f"{hermetic.PASSED},IS_SANDBOX",
        IS_SANDBOX="1",
    )
    yield server
    server.kill()


@pytest.fixture
def agent_server(session_agent_server: Server, standin: StandIn) -> Server:
    """A server that lets one of two keys run commands and search."""
    standin.reply = looking
    return session_agent_server


def last_blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the blocks of the user's last message."""
    content = [message for message in body["messages"] if message["role"] == "user"][-1]["content"]
    return content if isinstance(content, list) else []


def looking(body: dict[str, Any]) -> Reply:
    """Run a command, then say that it is done."""
    if any(block["type"] == "tool_result" for block in last_blocks(body)):
        return Reply((Text(["Done."]),))
    return Reply((Text(["I look. "]), ToolUse("Bash", {"command": "echo one; echo two", "description": "x"})))


def searching(body: dict[str, Any]) -> Reply:
    """Search as the CLI does, by a request of its own, and answer with a link to the first page."""
    if any(tool.get("type", "").startswith("web_search") for tool in body.get("tools", ())):
        pages = [("Kittens", "https://a.example/kittens"), ("Cats", "https://b.example/cats")]
        return Reply((WebSearch("kittens"), SearchResults(pages), Text(["They are small."])))
    if any(block["type"] == "tool_result" for block in last_blocks(body)):
        return Reply((Text(["Small, says ", "[Kittens](https://a.example/", "kittens)."]),))
    return Reply((ToolUse("WebSearch", {"query": "kittens"}),))


def body_of(route: str, *said: dict[str, Any], stream: bool) -> dict[str, Any]:
    """Return a request that goes on from what was said."""
    talk = [*said, {"role": "user", "content": "Look." if not said else "And?"}]
    if route == "/v1/responses":
        return {"model": "sonnet", "input": talk, "stream": stream, "store": False}
    return {"model": "sonnet", "messages": talk, "stream": stream, "max_tokens": 999}


def ask(
    server: Server, route: str, *said: dict[str, Any], stream: bool = False, headers: dict[str, str] = STEPS
) -> tuple[dict[str, str], Any]:
    """Return an answer's headers, and its object or its stream's."""
    body = body_of(route, *said, stream=stream)
    if route == "/v1/chat/completions":
        del body["max_tokens"]
    status, given, data = server.request("POST", route, body, headers)
    assert status == 200, data
    if not stream:
        return given, json.loads(data)
    if route == "/api/chat":
        return given, [json.loads(line) for line in data.splitlines()]
    if route == "/v1/chat/completions":
        return given, [event for event in events(data) if event != "[DONE]"]
    lines = [line for line in data.decode().splitlines() if line.startswith("data: ")]
    return given, [json.loads(line.removeprefix("data: ")) for line in lines]


def told(route: str, answer: Any, *, stream: bool) -> tuple[str, str]:
    """Return what an answer shows of the work, and what it says."""
    match route:
        case "/v1/chat/completions":
            parts = [event["choices"][0]["delta"] for event in answer if event["choices"]] if stream else []
            parts = parts or [answer["choices"][0]["message"]]
            assert not any("tool_calls" in part for part in parts)
            shown, text = ([part.get(key) or "" for part in parts] for key in ("reasoning_content", "content"))
        case "/v1/responses":
            items = answer[-1]["response"]["output"] if stream else answer["output"]
            if stream:
                pieces = [event["delta"] for event in answer if event["type"].endswith("summary_text.delta")]
                kept = [part["text"] for item in items for part in item.get("summary", ())]
                assert "".join(pieces) == "".join(kept)
            assert {item["type"] for item in items} <= {"message", "reasoning"}
            shown = [part["text"] for item in items for part in item.get("summary", ())]
            text = [part["text"] for item in items for part in item.get("content", ())]
        case "/v1/messages" if stream:
            deltas = [event["delta"] for event in answer if event["type"] == "content_block_delta"]
            shown, text = ([delta.get(key, "") for delta in deltas] for key in ("thinking", "text"))
        case "/v1/messages":
            shown, text = ([block.get(key, "") for block in answer["content"]] for key in ("thinking", "text"))
        case _:
            messages = [line["message"] for line in (answer if stream else [answer])]
            assert not any("tool_calls" in message for message in messages)
            shown, text = ([message.get(key, "") for message in messages] for key in ("thinking", "content"))
    return "".join(shown), "".join(text)


@pytest.mark.parametrize("route", ROUTES)
def test_steps(agent_server: Server, route: str, *, stream: bool) -> None:
    """Who asks for it sees the call and the beginning of its result, beside an answer that is as it always is."""
    _, answer = ask(agent_server, route, stream=stream)
    assert told(route, answer, stream=stream) == (SEEN, ANSWER)


def test_levels(agent_server: Server) -> None:
    """Names are without results; without the header, or with a word that is none, nothing is shown."""
    route = ROUTES[0]
    levels = {"names": SEEN.splitlines(keepends=True)[0], "none": "", "": "", "everything": ""}
    for level, shown in levels.items():
        headers, answer = ask(agent_server, route, headers={**WORKS, "X-Proxy-Show": level})
        assert told(route, answer, stream=False) == (shown, ANSWER)
        assert ("x-proxy-show" in headers.get("x-proxy-ignored", "")) == (level == "everything")
    assert SEEN.splitlines()[1].strip() not in agent_server.log


def test_who_may_not(agent_server: Server, standin: StandIn) -> None:
    """A key that has no tools sees none, though the model may call one that is not there."""
    headers = {"Authorization": f"Bearer {TALKER}", "X-Proxy-Show": "steps"}
    _, answer = ask(agent_server, ROUTES[0], headers=headers)
    assert told(ROUTES[0], answer, stream=False)[0] == ""
    assert not standin.messages[0].get("tools")


@pytest.mark.parametrize("route", ROUTES)
def test_round_trip(agent_server: Server, standin: StandIn, route: str) -> None:
    """What was shown comes back in the history and never reaches the API; the agent's process goes on."""
    _, answer = ask(agent_server, route)
    said = {
        "/v1/chat/completions": lambda: [answer["choices"][0]["message"]],
        "/v1/responses": lambda: answer["output"],
        "/v1/messages": lambda: [{"role": "assistant", "content": answer["content"]}],
        "/api/chat": lambda: [answer["message"]],
    }[route]()
    assert "echo one" in json.dumps(said)
    first = {"role": "user", "content": "Look."}
    for headers, served in ((STEPS, "kept"), ({**STEPS, "X-Proxy-Tools": "none"}, "")):
        given, _ = ask(agent_server, route, first, *said, headers=headers)
        assert not served or given["x-proxy-served"] == served
        sent = json.dumps(standin.messages[-1]["messages"])
        assert SHOWN not in sent
        assert "1 more line" not in sent
        assert "I look. " in sent


def test_sources(agent_server: Server, standin: StandIn, *, stream: bool) -> None:
    """A page that a search found and the answer links is an annotation of the link, in OpenAI's two dialects."""
    standin.reply = searching
    where = {"start_index": 12, "end_index": 48, "url": "https://a.example/kittens", "title": "Kittens"}
    _, chat = ask(agent_server, "/v1/chat/completions", stream=stream, headers=WORKS)
    if stream:
        found = [note for event in chat for note in event["choices"][0]["delta"].get("annotations", ())]
    else:
        found = chat["choices"][0]["message"]["annotations"]
    assert found == [{"type": "url_citation", "url_citation": where}]
    assert told("/v1/chat/completions", chat, stream=stream)[1][12:48] == "[Kittens](https://a.example/kittens)"
    _, response = ask(agent_server, "/v1/responses", stream=stream, headers=STEPS)
    output = response[-1]["response"]["output"] if stream else response["output"]
    assert [item["type"] for item in output] == ["reasoning", "message"]
    assert output[1]["content"][0]["annotations"] == [{"type": "url_citation", **where}]
    assert "WebSearch: kittens\n  Kittens https://a.example/kittens (1 more line)" in json.dumps(output).replace(
        "\\n", "\n"
    )
    if stream:
        (added,) = (event for event in response if event["type"].endswith("annotation.added"))
        assert added["annotation"] == {"type": "url_citation", **where}


def test_citations(agent_server: Server, standin: StandIn, *, stream: bool) -> None:
    """What the API cites of a document comes with the text that cites it, and the next turn goes on from there."""
    quote = {"type": "char_location", "cited_text": "Kittens are small.", "document_index": 0, "document_title": "K"}
    quote |= {"start_char_index": 0, "end_char_index": 18}
    standin.reply = lambda _: Reply((Text(["They are "]), Text(["small"], citations=[quote]), Text(["."])))
    source = {"type": "text", "media_type": "text/plain", "data": "Kittens are small."}
    document = {"type": "document", "source": source, "title": "K", "citations": {"enabled": True}}
    question = {"role": "user", "content": [document, {"type": "text", "text": "How large?"}]}
    headers = {**WORKS, "X-Proxy-Tools": "none"}
    body = {"model": "sonnet", "max_tokens": 999, "messages": [question], "stream": stream}
    status, _, data = agent_server.request("POST", "/v1/messages", body, headers)
    assert status == 200, data
    assert document in last_blocks(standin.messages[-1])
    content = [{"type": "text", "text": "They are "}]
    content += [{"type": "text", "text": "small", "citations": [quote]}, {"type": "text", "text": "."}]
    if stream:
        assert b'"citations_delta"' in data
    else:
        assert json.loads(data)["content"] == content
    talk = [question, {"role": "assistant", "content": content}, {"role": "user", "content": "And?"}]
    status, given, _ = agent_server.request("POST", "/v1/messages", {**body, "messages": talk}, headers)
    assert (status, given["x-proxy-served"]) == (200, "kept")
