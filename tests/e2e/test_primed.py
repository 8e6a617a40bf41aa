"""A recurring opening is told to a process in advance; the API is asked exactly what a fresh process would ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from server import Server, living, read_until, until
from talk import Talk, told, turns

from app.standin import Failure, Reply, StandIn, Text, ToolUse

TOOLS = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object"}}}
    for name in ("look", "Bash")
]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
OPENINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tools": {"tools": TOOLS, "parallel_tool_calls": False},
    "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
    "options": {"reasoning_effort": "high", "max_tokens": 5000, "stop": ["END"]},
}


def primed(server: Server) -> bool:
    """Tell whether a process waits with an opening, and all else is quiet."""
    return server.get("/ready")[1]["primed"]["ready"] == 1 and server.is_whole()


def asked(body: dict[str, Any]) -> dict[str, Any]:
    """Return an API request without what is different in each process: the session's id."""
    return {key: value for key, value in body.items() if key != "metadata"}


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_api_is_asked_the_same(serve: Callable[..., Server], standin: StandIn, opening: str) -> None:
    """From the third time on a primed process answers, with the request that a spare would have sent, to the byte."""
    server = serve(CLAUDE_PROXY_PRIMED="1", CLAUDE_PROXY_KEEP="0")
    if opening == "schema":
        standin.reply = lambda _: Reply((ToolUse("StructuredOutput", {"a": 1}),))
    server.wait_for_spare()
    served = []
    for _ in range(4):
        until(server.is_whole, 20, what="a whole server")
        system = {"role": "system", "content": "Be brief."}
        messages = [system, {"role": "user", "content": "/Hello @there"}]
        status, headers, _ = server.chat("", messages=messages, **OPENINGS[opening])
        assert status == 200
        served.append(headers["x-proxy-served"])
        if len(served) > 1:
            until(lambda: primed(server), 20, what="a primed process")
    assert served == ["spare", "spare", "primed", "primed"]
    # What a structured answer is followed by is no first request.
    first = [asked(body) for body in standin.messages if len(turns(body)) == 1]
    assert len(first) == 4
    assert [body == first[0] for body in first] == [True] * 4
    # Nothing but the answers was asked of the API.
    assert {request.path.partition("?")[0] for request in standin.requests} == {"/v1/messages"}


def test_replay_and_what_follows(serve: Callable[..., Server], standin: StandIn) -> None:
    """A conversation told from its beginning, and one that goes on, are in a primed process what they are in another.

    The turns reach the API as they are; the process is kept for the next one.
    """
    server = serve(CLAUDE_PROXY_PRIMED="1")
    history = [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Three?"},
    ]
    for _ in range(2):
        assert server.chat("", messages=history)[1]["x-proxy-served"] in {"spare", "cold"}
    until(lambda: primed(server), 20, what="a primed process")
    before = {process.pid for process in server.children()}
    talk = Talk(server)
    talk.messages = history[:2]
    assert talk.ask("Three?") == "primed"
    assert told(standin.messages[-1]) == told(standin.messages[0])
    assert turns(standin.messages[-1]) == turns(standin.messages[0])
    assert talk.ask("And then?") == "kept"
    assert told(standin.messages[-1]) == [(message["role"], message["content"]) for message in talk.messages[:-1]]
    until(lambda: primed(server), 20, what="another primed process")
    assert len({process.pid for process in server.children()} - before) == 1


def test_tools_run_in_it(serve: Callable[..., Server], standin: StandIn) -> None:
    """A primed process calls the client's tools, and takes their results."""
    server = serve(CLAUDE_PROXY_PRIMED="1")

    def reply(body: dict[str, Any]) -> Reply:
        return Reply((Text("Seen."),)) if len(turns(body)) > 1 else Reply((ToolUse("look", {}), ToolUse("Bash", {})))

    standin.reply = reply
    served = []
    for _ in range(3):
        talk = Talk(server, tools=TOOLS)
        served.append(talk.ask("What is there?"))
        assert talk.send(*talk.results()) == "parked"
        assert talk.messages[-1]["content"] == "Seen."
        until(lambda: server.slots() == (0, 0), what="quiet")
        if len(served) > 1:
            until(lambda: primed(server), 20, what="a primed process")
    assert served[0] in {"spare", "cold"}
    assert served[2] == "primed"


def test_one_that_was_killed(serve: Callable[..., Server], standin: StandIn) -> None:
    """A primed process that was killed while it waited costs the next client time, not the answer."""
    server = serve(CLAUDE_PROXY_PRIMED="1", CLAUDE_PROXY_KEEP="0", CLAUDE_PROXY_SPARES="0")
    for _ in range(2):
        assert server.chat("Hello")[0] == 200
    until(lambda: primed(server), 20, what="a primed process")
    (waiting,) = server.children()
    waiting.kill()
    status, headers, body = server.chat("Hello")
    assert (status, headers["x-proxy-served"]) == (200, "cold")
    assert body["choices"][0]["message"]["content"] == "One two three."
    assert standin.rejected == []


def test_several_answers_are_one_request(serve: Callable[..., Server], standin: StandIn) -> None:
    """A request for several answers does not make its opening one that recurs."""
    server = serve(CLAUDE_PROXY_PRIMED="1", CLAUDE_PROXY_KEEP="0")
    assert server.chat("Hello", n=3)[0] == 200
    until(server.is_whole, 20, what="a whole server")
    assert "primed" not in server.get("/ready")[1]["processes"]["started"]
    assert server.chat("Hello", n=2)[0] == 200
    until(lambda: primed(server), 20, what="a primed process")
    assert standin.rejected == []


def test_refused_request(serve: Callable[..., Server], standin: StandIn) -> None:
    """What the API refuses is the request's own fault: it is not asked for again in another process."""
    server = serve(CLAUDE_PROXY_PRIMED="1", CLAUDE_PROXY_KEEP="0")
    for _ in range(2):
        assert server.chat("Hello")[0] == 200
    until(lambda: primed(server), 20, what="a primed process")
    standin.reply = lambda _: Failure(400, "invalid_request_error", "No.")
    asked = []
    for _ in range(2):
        before = len(standin.requests)
        status = server.chat("Hello")[0]
        assert status == 400
        asked.append(len(standin.requests) - before)
    assert asked[0] == asked[1]
    assert "process failed" not in server.log


def test_kept_processes_make_room(serve: Callable[..., Server], standin: StandIn) -> None:
    """For a turn in a primed process the kept ones make room, as for any other."""
    server = serve(
        CLAUDE_PROXY_PRIMED="1", CLAUDE_PROXY_KEEP="1", CLAUDE_PROXY_MAX_CONCURRENCY="1", CLAUDE_PROXY_SPARES="0"
    )
    for _ in range(2):
        assert server.chat("Hello")[0] == 200
    until(lambda: primed(server), 20, what="a primed process")
    assert server.get("/ready")[1]["kept"]["idle"] == 1
    standin.reply = lambda _: Reply((Text(["One ", "two "]),), silent_after=1)
    with server.open_stream("Hello") as connection:
        assert b"x-proxy-served: primed" in read_until(connection, b"One ")
        until(lambda: server.get("/ready")[1]["kept"]["idle"] == 0, what="room")


def test_end_of_the_server(serve: Callable[..., Server], standin: StandIn) -> None:
    """A server that stops ends the primed process too, and so does the end of a worker by force."""
    server = serve(CLAUDE_PROXY_PRIMED="1", CLAUDE_PROXY_KEEP="0")
    for _ in range(2):
        assert server.chat("Hello")[0] == 200
    until(lambda: primed(server), 20, what="a primed process")
    before = {process.pid for process in server.children()}
    assert len(before) == 2
    server.worker().kill()
    until(lambda: not living(before), 10, "end of the processes")
    server.wait()
    for _ in range(2):
        assert server.chat("Hello")[0] == 200
    until(lambda: primed(server), 20, what="a primed process")
    before = {process.pid for process in server.children()}
    assert server.stop() == 0
    assert not living(before)
    assert standin.rejected == []
