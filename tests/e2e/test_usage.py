"""The ledger through the real CLI: its sums are what the stand-in sent, however a turn ends and whatever befalls it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import threading
import time
from typing import Any

import pytest
from server import CONFIG, GUNICORN, Server, read_until, until

from app.standin import Reply, StandIn, Text, ToolUse

# Dollars for a million tokens of the model that the tests ask for, as the CLI has them.
IN, OUT, READ, WRITE = 2.0, 10.0, 0.1, 2.5
SENT = {"input_tokens": 1000, "output_tokens": 100, "cache_read": 50, "cache_creation": 20}
LOOK = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}},
}
FORM = {
    "type": "json_schema",
    "json_schema": {
        "name": "form",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "required": ["a"],
            "additionalProperties": False,
        },
    },
}
SUMS = "SELECT sum(requests), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens)"


def rows(server: Server, query: str) -> list[Any]:
    db = sqlite3.connect(server.state / "usage.db")
    try:
        return db.execute(query).fetchall()
    except sqlite3.OperationalError:  # no table yet
        return []
    finally:
        db.close()


def turns(server: Server) -> int:
    return sum(requests for (requests,) in rows(server, "SELECT requests FROM turns"))


def asked(body: dict[str, Any]) -> str:
    return json.dumps([message for message in body["messages"] if message["role"] == "user"][-1]["content"])


def answer(body: dict[str, Any]) -> Reply:
    """Do what the last question says; every answer takes the same tokens."""
    question = asked(body)
    if "StructuredOutput" in [tool["name"] for tool in body.get("tools", ())]:
        called = any(message["role"] == "assistant" for message in body["messages"])
        return Reply((ToolUse("StructuredOutput", {"a": 1}),) if called else (Text(["no form"]),), **SENT)
    if "call" in question and "tool_result" not in question:
        return Reply((ToolUse("look", {"a": "1"}),), **SENT)
    if "long" in question:
        return Reply((Text(["one ", "two ", "three"]),), stop_reason="max_tokens", **SENT)
    if "slow" in question:
        return Reply((Text(["one ", "two ", "three"], pause=0.8),), **SENT)
    return Reply((Text(["One ", "two."]),), **SENT)


def price(answers: int) -> float:
    """Return what so many answers would have cost."""
    return answers * (1000 * IN + 100 * OUT + 50 * READ + 20 * WRITE) / 1e6


def test_sums(serve: Any, standin: StandIn) -> None:
    """Tokens are exactly those that the stand-in sent, and dollars within a cent, also with calls and schemas."""
    standin.reply = answer
    server = serve()
    for number in range(3):
        assert server.chat(f"hello {number}")[2]["usage"]["prompt_tokens"] == 1070
    server.chat("a stream", stream=True)
    question = {"role": "user", "content": "please call"}
    _, _, called = server.chat("", messages=[question], tools=[LOOK])
    said = called["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": "seen"}
    _, headers, done = server.chat("", messages=[question, said, result], tools=[LOOK])
    assert headers["x-proxy-served"] == "parked"
    # The CLI counts both answers in one sum; the client was told of the first one before.
    assert [each["usage"]["prompt_tokens"] for each in (called, done)] == [1070, 1070]
    assert [each["usage"]["completion_tokens"] for each in (called, done)] == [100, 100]
    server.chat("three times", n=3)
    _, _, formed = server.chat("give me a form", response_format=FORM)
    assert formed["usage"]["prompt_tokens"] == 2 * 1070
    until(lambda: turns(server) == 8, what="rows")
    answers = len(standin.messages)
    assert answers == 4 + 2 + 3 + 2
    found = rows(server, f"{SUMS}, sum(unpriced) FROM turns")
    # The calls' answer is priced with what came after it.
    assert found == [(8, answers * 1000, answers * 100, answers * 50, answers * 20, 0)]
    ((dollars,),) = rows(server, "SELECT sum(dollars) FROM turns")
    assert dollars == pytest.approx(price(answers), abs=0.01)
    assert rows(server, f"{SUMS} FROM days") == rows(server, f"{SUMS} FROM turns")
    assert rows(server, "SELECT DISTINCT asked, model, client, owner FROM turns WHERE requests") == [
        ("sonnet", "claude-sonnet-5-5", "", "")
    ]


def test_turns_that_end_early(serve: Any, standin: StandIn) -> None:
    """A client that left is charged what the API sent until then; what the CLI does not tell is said to be unpriced."""
    standin.reply = answer
    server = serve()
    server.wait_for_spare()
    with server.open_stream("slow one") as connection:
        read_until(connection, b"one")
    until(lambda: turns(server) == 1, what="row")
    until(lambda: rows(server, "SELECT sum(unpriced) FROM turns") == [(0,)], what="price")
    (left,) = rows(server, f"{SUMS}, sum(dollars) FROM turns")
    assert left[:2] == (1, 1000)
    assert left[3:5] == (50, 20)
    assert 0 < left[5] < price(1)
    assert rows(server, "SELECT status, code FROM turns WHERE requests") == [(200, "client_gone")]
    assert server.chat("long one", max_tokens=5)[2]["choices"][0]["finish_reason"] == "length"
    until(lambda: turns(server) == 2, what="second row")
    last = "SELECT input_tokens, unpriced, dollars FROM turns WHERE requests ORDER BY number DESC LIMIT 1"
    ((tokens, unpriced, dollars),) = rows(server, last)
    # The CLI is ended at once, as it would ask on; now and then it has told the price by then.
    assert (tokens, unpriced) == (1000, int(dollars == 0))


def test_calls_that_nobody_answers(serve: Any, standin: StandIn) -> None:
    """A process that makes room while it waits for results tells first what its calls cost; nothing more is asked."""
    standin.reply = answer
    server = serve(CLAUDE_PROXY_MAX_CONCURRENCY="1")
    server.wait_for_spare()
    assert server.chat("please call", tools=[LOOK])[2]["choices"][0]["finish_reason"] == "tool_calls"
    assert server.chat("hello")[0] == 200
    until(lambda: rows(server, "SELECT sum(requests), sum(unpriced) FROM turns") == [(2, 0)], what="prices")
    ((dollars,),) = rows(server, "SELECT sum(dollars) FROM turns")
    assert dollars == pytest.approx(price(2), rel=1e-6)
    assert len(standin.messages) == 2


def test_what_is_no_turn(serve: Any) -> None:
    """A request that was refused before a turn began is no row; a turn that failed is one, with its status."""
    server = serve()
    assert server.request("POST", "/v1/chat/completions", {"messages": "no"})[0] == 400
    assert server.request("POST", "/v1/chat/completions", {}, {"Origin": "https://evil.example"})[0] == 403
    assert server.chat("hello", model="claude-nonsense-1")[0] == 200
    until(lambda: turns(server) >= 1, what="row")
    assert turns(server) == 1


def test_restart(serve: Any) -> None:
    """A server that stops right after a turn has its row."""
    server = serve()
    server.chat("hello")
    assert server.stop() == 0
    assert turns(server) == 1


def test_two_workers(serve: Any) -> None:
    """Two workers on one state folder lose no turn and count none twice."""
    server = serve((*GUNICORN, *CONFIG, "-w", "2", "wsgi:app"))
    for number in range(12):
        assert server.chat(f"hello {number}")[0] == 200
    until(lambda: turns(server) == 12, what="rows")
    until(lambda: rows(server, "SELECT sum(requests) FROM days") == [(12,)], what="days")


@pytest.mark.timeout(120)
def test_killed(serve: Any, standin: StandIn) -> None:
    """A worker that is killed amid traffic loses at most the turns that ran, and counts none twice; the other none."""
    standin.reply = answer
    server = serve((*GUNICORN, *CONFIG, "-w", "2", "wsgi:app"))
    answered, stop, lock = [], threading.Event(), threading.Lock()

    def ask(name: int) -> None:
        with contextlib.suppress(Exception):
            while not stop.is_set():
                status, headers, _ = server.chat(f"hello {name}")
                if status == 200:
                    with lock:
                        answered.append((time.monotonic(), headers["x-request-id"]))

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for client in clients:
        client.start()
    until(lambda: len(answered) >= 12, 40, "traffic")
    killed = time.monotonic()
    os.kill(server.worker().pid, signal.SIGKILL)
    stop.set()
    for client in clients:
        client.join(30)
    kept = [request for (request,) in rows(server, "SELECT request FROM turns WHERE requests")]
    assert len(kept) == len(set(kept))
    # In one look: the other worker may be about to write what it answered last.
    ((days, turned),) = rows(server, "SELECT (SELECT sum(requests) FROM days), (SELECT sum(requests) FROM turns)")
    assert days == turned >= len(kept)
    # All that was answered a moment before is there; the machine may be busy.
    early = {request for at, request in answered if at < killed - 0.5}
    assert early <= set(kept)
    server.wait(40)
    status, headers, _ = server.chat("hello again")
    assert status == 200
    row = f"SELECT requests FROM turns WHERE request = '{headers['x-request-id']}'"
    until(lambda: rows(server, row) == [(1,)], what="a row of the next worker")
