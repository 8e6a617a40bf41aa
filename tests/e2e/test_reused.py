"""A process serves one conversation after the other: it goes back to where they part, and the API does not notice."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from server import Server, living, read_until, until
from talk import Talk, process_of, told, turns

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
NOTE = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nround {}"


def asked(body: dict[str, Any]) -> dict[str, Any]:
    """Return an API request without what is different in each process: the session's id."""
    return {key: value for key, value in body.items() if key != "metadata"}


def processes(api: StandIn) -> list[str]:
    """Return which process sent each of the API's requests."""
    return [process_of(body) for body in api.messages]


def starts(server: Server) -> int:
    """Return how many processes the server has started."""
    return sum(server.get("/ready")[1]["processes"]["started"].values())


@pytest.fixture
def numbered(standin: StandIn) -> StandIn:
    """Each answer is another one."""
    standin.reply = lambda _: Reply((Text([f"Answer {len(standin.messages)}."]),))
    return standin


@pytest.mark.parametrize("opening", OPENINGS)
def test_new_conversations(serve: Callable[..., Server], standin: StandIn, opening: str) -> None:
    """Conversations that begin alike share a process, and each sends what the first one would have, to the byte."""
    server = serve()
    if opening == "schema":
        standin.reply = lambda _: Reply((ToolUse("StructuredOutput", {"a": 1}),))
    server.wait_for_spare()
    served = []
    for _ in range(4):
        system = {"role": "system", "content": "Be brief."}
        messages = [system, {"role": "user", "content": "/Hello @there"}]
        status, headers, _ = server.chat("", messages=messages, **OPENINGS[opening])
        assert status == 200
        served.append(headers["x-proxy-served"])
    assert served == ["spare", "reused", "reused", "reused"]
    # What a structured answer is followed by is no first request.
    first = [asked(body) for body in standin.messages if len(turns(body)) == 1]
    assert len(first) == 4
    assert [body == first[0] for body in first] == [True] * 4
    assert len(set(processes(standin))) == 1
    # Nothing but the answers was asked of the API.
    assert {request.path.partition("?")[0] for request in standin.requests} == {"/v1/messages"}


def test_edited_and_asked_again(serve: Callable[..., Server], numbered: StandIn) -> None:
    """A question edited, an answer asked for again, an earlier question edited: one process is told what is new."""
    server = serve()
    server.wait_for_spare()
    talk = Talk(server)
    for number in range(3):
        talk.ask(f"Question {number}")
    del talk.messages[-1:]
    assert talk.send() == "rewound"
    del talk.messages[-2:]
    assert talk.ask("Question 2, better") == "rewound"
    assert talk.ask("Question 3") == "kept"
    del talk.messages[2:]
    assert talk.ask("Question 1, better") == "rewound"
    assert told(numbered.messages[-1]) == [(message["role"], message["content"]) for message in talk.messages[:-1]]
    assert len(set(processes(numbered))) == 1


def test_history_that_is_told(serve: Callable[..., Server], standin: StandIn) -> None:
    """A conversation that nobody has goes into one that has served another, and goes on there."""
    server = serve()
    server.wait_for_spare()
    Talk(server).ask("Something else")
    talk = Talk(server)
    for number in range(30):
        talk.messages += [
            {"role": "user", "content": f"/{number}"},
            {"role": "assistant", "content": f"Fine {number}."},
        ]
    assert talk.ask("And?") == "reused"
    assert told(standin.messages[-1]) == [(message["role"], message["content"]) for message in talk.messages[:-1]]
    assert talk.ask("And then?") == "kept"
    del talk.messages[-2:]
    assert talk.ask("And now?") == "rewound"
    del talk.messages[20:]
    assert talk.ask("What?") in {"rewound", "reused"}
    assert told(standin.messages[-1]) == [(message["role"], message["content"]) for message in talk.messages[:-1]]
    assert len(set(processes(standin))) == 1


def test_calls_that_nobody_answers(serve: Callable[..., Server], standin: StandIn) -> None:
    """Who asks something else instead of bringing results gets the process that waits for them."""

    def reply(body: dict[str, Any]) -> Reply:
        return Reply((ToolUse("look", {}),)) if "look" in str(turns(body)[-1]) else Reply((Text("Fine."),))

    standin.reply = reply
    server = serve()
    server.wait_for_spare()
    talk = Talk(server, tools=TOOLS)
    talk.ask("Hello")
    assert talk.ask("Please look") == "kept"
    del talk.messages[-2:]
    assert talk.ask("Never mind") == "rewound"
    assert told(standin.messages[-1])[-2:] == [("assistant", "Fine."), ("user", "Never mind")]
    assert len(standin.messages) == 3
    assert len(set(processes(standin))) == 1


def test_a_passing_note(serve: Callable[..., Server], standin: StandIn) -> None:
    """An agent whose every request ends in a note that the next one takes back has one process all along."""

    def reply(body: dict[str, Any]) -> Reply:
        said = turns(body)
        return (
            Reply((Text(["I look. "]), ToolUse("look", {"round": len(said)})))
            if len(said) < 16
            else Reply((Text("Done."),))
        )

    standin.reply = reply
    server = serve()
    server.wait_for_spare()
    talk = Talk(server, tools=TOOLS)
    served, before = [], 0
    for number in range(7):
        found = talk.results() if number else [{"role": "user", "content": "Do it."}]
        note = {"role": "user", "content": NOTE.format(number)}
        served.append(talk.send(*found, note))
        talk.messages.remove(note)
        if number == 1:
            before = starts(server)
    # The first note came with the question itself, which is told anew.
    assert served == ["spare", "reused", *["rewound"] * 5]
    assert starts(server) == before
    assert len(set(processes(standin))) == 1
    last = turns(standin.messages[-1])
    assert [block["type"] for block in last[-1][1]] == ["tool_result", "text"]
    assert str(last).count("BEGIN_OPENCLAW") == 1


@pytest.mark.parametrize("began", [True, False])
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_left(serve: Callable[..., Server], standin: StandIn, *, stream: bool, began: bool) -> None:
    """Its turn ends at once, the API is asked no more, its process answers the next one, and nothing has failed."""
    server = serve()
    server.wait_for_spare()
    words = Text(["One ", "two ", "three."])
    standin.reply = lambda _: Reply((words,), silent_after=2) if began else Reply((words,), delay=30)
    left = standin.disconnects
    with server.open_stream("Hello", stream=stream) as connection:
        if stream and began:
            read_until(connection, b"two ")
        until(lambda: standin.active == 1, what="turn")
        time.sleep(0.1)
    until(lambda: standin.disconnects == left + 1, 2, what="end of the API's request")
    until(lambda: server.get("/ready")[1]["kept"]["idle"] == 1, what="the process on the shelf")
    standin.reply = lambda _: Reply((Text("Fine."),))
    assert Talk(server).ask("Hello") == "reused"
    assert asked(standin.messages[0]) == asked(standin.messages[1])
    assert len(set(processes(standin))) == 1
    assert len(standin.messages) == 2
    assert " ERROR " not in server.log


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("what", ["spare", "kept"])
def test_one_that_died_or_stands_still(serve: Callable[..., Server], standin: StandIn, what: str, how: int) -> None:
    """A process that was killed or stopped while it waited costs the next client time, not the answer."""
    server = serve(CLAUDE_PROXY_SPARES="1" if what == "spare" else "0")
    talk = Talk(server)
    if what == "spare":
        server.wait_for_spare()
    else:
        talk.ask("Hello")
    until(lambda: server.slots() == (0, 0), what="quiet")
    (waiting,) = server.children()
    waiting.send_signal(how)
    assert talk.ask("Hello again") == "cold"
    assert talk.messages[-1]["content"] == "One two three."
    until(lambda: not living({waiting.pid}), 5, "its end")
    assert standin.rejected == []


def test_refused_request(serve: Callable[..., Server], standin: StandIn) -> None:
    """What the API refuses is the request's own fault: it is not asked for again in another process."""
    server = serve()
    server.wait_for_spare()
    assert server.chat("Hello")[0] == 200
    standin.reply = lambda _: Failure(400, "invalid_request_error", "No.")
    for _ in range(2):
        status, headers, _ = server.chat("Hello")
        assert status == 400
    assert "process failed" not in server.log
    standin.reply = lambda _: Reply((Text("Fine."),))
    status, headers, _ = server.chat("Hello")
    assert (status, headers["x-proxy-served"]) == (200, "reused")
    assert asked(standin.messages[-1]) == asked(standin.messages[0])
    assert len(set(processes(standin))) == 1


def test_keys_do_not_share(serve: Callable[..., Server], standin: StandIn) -> None:
    """Conversations of two keys that begin alike, or are alike, have processes of their own."""
    server = serve(CLAUDE_PROXY_API_KEYS=f"one:{'1' * 16},two:{'2' * 16}", CLAUDE_PROXY_SPARES="0")
    body = {"model": "sonnet", "messages": [{"role": "user", "content": "Hello"}]}
    for number in "1212":
        headers = {"Authorization": f"Bearer {number * 16}"}
        status, told_headers, _ = server.request("POST", "/v1/chat/completions", body, headers)
        assert (status, told_headers["x-proxy-served"]) == (200, "cold" if len(standin.messages) < 3 else "reused")
    one, two, *again = processes(standin)
    assert one != two
    assert again == [one, two]


def test_end_of_the_server(serve: Callable[..., Server], standin: StandIn) -> None:
    """A server that stops ends what waits, and so does the end of a worker by force."""
    server = serve()
    server.wait_for_spare()
    assert server.chat("Hello")[0] == 200
    until(lambda: len(server.children()) == 2, what="a spare beside it")
    before = {process.pid for process in server.children()}
    server.worker().kill()
    until(lambda: not living(before), 10, "end of the processes")
    server.wait()
    assert server.chat("Hello")[0] == 200
    before = {process.pid for process in server.children()}
    assert server.stop() == 0
    assert not living(before)
    assert standin.rejected == []
