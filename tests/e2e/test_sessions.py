"""Clients that send only what is new: the server has the rest, and the API hears all of it."""

from __future__ import annotations

import contextlib
import json
import signal
import stat
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import FAKE_CLAUDE as FAKE
from server import CONFIG, GUNICORN, Server, events, read_to_end, read_until, text_of, until
from talk import told, turns

from app.standin import Failure, Reply, StandIn, Text, ToolUse

LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def say(server: Server, session: str, *messages: Any, **fields: Any) -> tuple[int, dict[str, str], Any]:
    """Send new messages, strings are the user's; return status, headers and body."""
    listed = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    body = {"model": "sonnet", "messages": listed, **fields}
    status, headers, data = server.request("POST", "/v1/chat/completions", body, {"X-Session-Id": session})
    return status, headers, json.loads(data) if data.startswith(b"{") else data


@pytest.fixture
def numbered(standin: StandIn) -> StandIn:
    """Have each answer say which it is."""
    standin.reply = lambda _: Reply((Text([f"Answer {len(standin.messages)}."]),))
    return standin


def test_only_new_messages(keeping_server: Server, numbered: StandIn) -> None:
    """The second request sends one message; the API sees the whole conversation, in the process that has it."""
    status, headers, _ = say(keeping_server, "only-new", {"role": "system", "content": "Be kind."}, "One")
    assert (status, headers["x-session-id"]) == (200, "only-new")
    status, headers, _ = say(keeping_server, "only-new", "Two")
    assert (status, headers["x-proxy-served"]) == (200, "kept")
    assert told(numbered.messages[-1]) == [("user", "One"), ("assistant", "Answer 1."), ("user", "Two")]
    assert "Be kind." in json.dumps(numbered.messages[-1]["system"])
    session = keeping_server.get("/v1/sessions/only-new")[1]
    assert [message["role"] for message in session["messages"]] == ["user", "assistant"] * 2
    assert session["system"] == "Be kind."


def test_in_the_body_and_streamed(keeping_server: Server, numbered: StandIn) -> None:
    """`session_id` in the body names a session as well; streams take part in it; the id may be any text."""
    name = "größe / 1"
    assert keeping_server.chat("One", session_id=name)[0] == 200
    status, headers, chunks = keeping_server.chat("Two", stream=True, session_id=name)
    assert (status, headers["x-session-id"], text_of(chunks)) == (200, urllib.parse.quote(name), "Answer 2.")
    assert told(numbered.messages[-1])[1:] == [("assistant", "Answer 1."), ("user", "Two")]
    path = "/v1/sessions/" + urllib.parse.quote(name, safe="")
    assert keeping_server.get(path)[1]["id"] == name
    assert keeping_server.request("DELETE", path)[0] == 200
    assert keeping_server.get(path)[1]["error"]["code"] == "session_not_found"
    assert keeping_server.chat("Three", session_id=name)[0] == 200
    assert told(numbered.messages[-1]) == [("user", "Three")]


def test_repeated_and_other_histories(server: Server, numbered: StandIn) -> None:
    """A repeated history is not doubled, another one replaces what was there."""
    say(server, "histories", "One")
    one = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Answer 1."}]
    say(server, "histories", *one, "Two")
    assert told(numbered.messages[-1]) == [("user", "One"), ("assistant", "Answer 1."), ("user", "Two")]
    say(server, "histories", one[0], {"role": "assistant", "content": "Another."}, "Three")
    say(server, "histories", "Four")
    assert [text for _, text in told(numbered.messages[-1])] == ["One", "Another.", "Three", "Answer 3.", "Four"]


def test_tool_results_alone(keeping_server: Server, standin: StandIn) -> None:
    """A client may send nothing but the results of the calls it got."""
    standin.reply = lambda body: Reply((Text(["Done."]) if len(turns(body)) > 1 else ToolUse("look", {}),))
    _, _, answer = say(keeping_server, "tools", "Look!", tools=[LOOK])
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "seen"}
    assert say(keeping_server, "tools", {**result, "tool_call_id": "another"}, tools=[LOOK])[0] == 400
    status, headers, _ = say(keeping_server, "tools", result, tools=[LOOK])
    assert (status, headers["x-proxy-served"]) == (200, "parked")
    assert [block["type"] for _, blocks in turns(standin.messages[-1]) for block in blocks] == [
        "text",
        "tool_use",
        "tool_result",
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_failed_turns_leave_no_trace(server: Server, standin: StandIn, stream: bool) -> None:
    """A turn that failed is not in the session; the next one goes on from the last that succeeded."""
    name = f"failed-{stream}"
    say(server, name, "One")
    standin.reply = lambda _: Failure.prompt_too_long(210_000, 200_000)
    status, _, answer = say(server, name, "Two", stream=stream)
    # On a busy machine a stream may have begun before the API's refusal is there; then its last event tells of it.
    told_late = stream and status == 200
    error = events(answer)[-1]["error"] if told_late else answer["error"]
    assert error["code"] == "context_length_exceeded"
    assert told_late or status == 400
    standin.reply = lambda _: Reply((Text(["Fine."]),))
    say(server, name, "Three")
    assert [text for _, text in told(standin.messages[-1])] == ["One", "One two three.", "Three"]
    standin.rejected.clear()


def test_two_requests_at_once(server: Server, standin: StandIn) -> None:
    """The second request of a session waits for the first, and goes on with its answer."""
    standin.reply = lambda _: Reply((Text([f"Answer {len(standin.messages)}."]),), delay=0.5)
    first = threading.Thread(target=say, args=(server, "at-once", "One"))
    first.start()
    until(lambda: server.slots()[0] == 1, what="the first turn")
    assert say(server, "at-once", "Two")[0] == 200
    first.join()
    assert told(standin.messages[-1]) == [("user", "One"), ("assistant", "Answer 1."), ("user", "Two")]


def test_a_client_that_leaves_while_it_waits(server: Server, standin: StandIn) -> None:
    """A request whose client left in the session's queue takes no turn, and holds up nobody."""
    standin.reply = lambda _: Reply((Text(["Fine."]),), delay=1.0)
    first = threading.Thread(target=say, args=(server, "leaver", "One"))
    first.start()
    until(lambda: server.slots()[0] == 1, what="the first turn")
    with server.open_stream("Two", "X-Session-Id: leaver", stream=False):
        time.sleep(0.2)
    first.join()
    standin.reply = lambda _: Reply((Text(["Fine."]),))
    assert say(server, "leaver", "Three")[0] == 200
    assert [text for _, text in told(standin.messages[-1])] == ["One", "Fine.", "Three"]


@pytest.fixture(scope="module")
def session_impatient(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(
        CLAUDE_BIN=str(FAKE),
        CLAUDE_PROXY_HEARTBEAT="0.3",
        CLAUDE_PROXY_TIMEOUT="6",
        CLAUDE_PROXY_QUEUE_LIMIT="2",
    )
    yield server
    server.kill()


def test_waiting_shows_signs_of_life_and_counts(session_impatient: Server) -> None:
    """A stream that waits for its session's turn has heartbeats, and the wait is a part of its turn's time."""
    server = session_impatient
    session = "X-Session-Id: waiting"
    with server.open_stream("hang", session) as first:
        read_until(first, b"Hello ")
        began = time.monotonic()
        with server.open_stream("hang", session) as second:
            data = read_until(second, b'"delta":{}')
            assert b"Hello" not in data
            data += read_to_end(second)
        # Its 6 s, not these after the 6 s of the first.
        assert time.monotonic() - began < 11
    assert events(data)[-1]["error"]["code"] == "timeout"
    until(lambda: server.slots() == (0, 0), what="free slots")


def test_waiting_is_bounded(session_impatient: Server) -> None:
    """No more requests wait for a session than the queue has places; those beyond are told to come back."""
    server = session_impatient
    with contextlib.ExitStack() as stack:
        read_until(stack.enter_context(server.open_stream("hang", "X-Session-Id: many")), b"Hello ")
        for _ in range(3):
            stack.enter_context(server.open_stream("hello", "X-Session-Id: many"))
        until(lambda: server.slots() == (1, 3), what="three that wait, one of them for the free slot")
        assert say(server, "many", "hello")[0] == 429
    until(lambda: server.slots() == (0, 0), what="free slots")
    until(lambda: say(server, "many", "hello")[0] == 200, what="an answer")


def test_refused_names(server: Server) -> None:
    """An id that is too long, empty or no text, two different ones, and several answers are refused by name."""
    for fields in ({"session_id": "x" * 201}, {"session_id": ""}, {"session_id": 7}):
        status, _, body = server.chat("Hi", **fields)
        assert (status, body["error"]["param"]) == (400, "session_id")
    assert say(server, "one", "Hi", session_id="two")[0] == 400
    status, _, body = say(server, "one", "Hi", n=2)
    assert (status, body["error"]["param"]) == (400, "n")
    assert server.get("/v1/sessions/never")[0] == 404


def test_user_is_no_session(server: Server, standin: StandIn) -> None:
    """`user` names a person; two requests of one person are two conversations."""
    for text in ("One", "Two"):
        server.chat(text, user="ann")
    assert told(standin.messages[-1]) == [("user", "Two")]


def test_killed_server(serve: Callable[..., Server], numbered: StandIn) -> None:
    """After kill -9 of everything a new server goes on where the last finished turn ended, a running one aside."""
    server = serve()
    say(server, "killed", "One")
    say(server, "killed", "Two")
    numbered.reply = lambda _: Reply((Text(["Never ", "finished."], pause=20),))
    with server.open_stream("Lost", "X-Session-Id: killed") as connection:
        read_until(connection, b"Never ")
        server.kill()
    numbered.reply = lambda _: Reply((Text([f"Answer {len(numbered.messages)}."]),))
    again = serve(CLAUDE_PROXY_STATE_DIR=str(server.state))
    assert say(again, "killed", "Three")[0] == 200
    assert [text for _, text in told(numbered.messages[-1])] == ["One", "Answer 1.", "Two", "Answer 2.", "Three"]


def test_two_hundred_sessions(serve: Callable[..., Server], standin: StandIn) -> None:
    """200 sessions at once over two workers: each hears its own words back, and none waits for another."""
    fake = {"CLAUDE_BIN": str(FAKE), "CLAUDE_PROXY_MAX_CONCURRENCY": "8", "CLAUDE_PROXY_QUEUE_LIMIT": "400"}
    server = serve((*GUNICORN, *CONFIG, "--workers", "2", "wsgi:app"), **fake)

    def words(number: int) -> list[str]:
        return ["one", "two"] if number % 4 == 0 else ["one"]

    def chat(number: int) -> list[str]:
        for word in words(number):
            status, _, body = say(server, f"session {number}", f"echo {number} {word}")
            assert status == 200, body
        return [block["text"] for message in body_of(number) for block in message["content"]]

    def body_of(number: int) -> list[Any]:
        return server.get(f"/v1/sessions/session%20{number}")[1]["messages"]

    with ThreadPoolExecutor(40) as pool:
        for number, texts in enumerate(pool.map(chat, range(200))):
            assert texts == [text for word in words(number) for text in (f"echo {number} {word}", "Hello world.")]
    assert len(server.get("/v1/sessions")[1]["data"]) == 200


def test_expiry_and_privacy(serve: Callable[..., Server], numbered: StandIn) -> None:
    """A session is forgotten after its time; its file is the user's alone; without a session nothing is written."""
    server = serve(CLAUDE_PROXY_SESSION_SECONDS="1")
    server.chat("Private")
    assert not (server.state / "sessions.db").exists()
    say(server, "short", "One")
    assert stat.S_IMODE((server.state / "sessions.db").stat().st_mode) == 0o600
    time.sleep(1.1)
    assert server.get("/v1/sessions")[1]["data"] == []
    say(server, "short", "Two")
    assert told(numbered.messages[-1]) == [("user", "Two")]


def test_storage_that_fails(serve: Callable[..., Server], standin: StandIn) -> None:
    """Where sessions cannot be stored, a session's request gets a clear error before the model is asked."""
    server = serve()
    (server.state / "sessions.db").mkdir()
    status, _, body = say(server, "any", "One")
    assert (status, body["error"]["code"]) == (503, "session_storage_failed")
    assert server.chat("One")[0] == 200
    assert len(standin.messages) == 1
    server.stop(signal.SIGTERM)
