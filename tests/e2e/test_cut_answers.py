"""Answers that are cut at `max_tokens`, with the real CLI, which would ask the API to go on by itself."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from server import Server, until

from app.standin import Reply, StandIn, Text, Thinking, ToolUse

PAUSE = 0.05
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def count(_: dict[str, Any]) -> Reply:
    """Count further than any bound here."""
    return Reply((Text([f"{number} " for number in range(20)], pause=PAUSE),), input_tokens=1000)


def cut(server: Server, text: str, stream: bool, **fields: Any) -> None:
    _, _, body = server.chat(text, stream=stream, max_tokens=5, **fields)
    choice = body[-2]["choices"][0] if stream else body["choices"][0]
    assert choice["finish_reason"] == "length", body


def totals(server: Server) -> dict[str, Any]:
    return server.get("/v1/usage")[1]["total"]


@pytest.mark.parametrize("offered", [[], [LOOK]], ids=["plain", "tools"])
def test_nothing_more_is_asked(serve: Any, standin: StandIn, offered: list[Any]) -> None:
    """The API is asked once for each of many at once; all are priced, and their processes go on."""
    standin.reply = count
    server = serve()
    server.wait_for_spare()
    more = {"tools": offered} if offered else {}
    for number in range(2):
        threads = [
            threading.Thread(target=cut, args=(server, f"Count {number} {index}", bool(index % 2)), kwargs=more)
            for index in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    until(lambda: totals(server)["requests"] == 8 and not totals(server)["unpriced"], what="prices")
    assert len(standin.messages) == 8
    assert totals(server)["input_tokens"] == 8 * 1000


def test_cut_at_once(serve: Any, standin: StandIn) -> None:
    """An answer that is cut sooner than its process can be held is the client's all the same, and all is well then."""
    standin.reply = lambda _: Reply((Text([f"{number} " for number in range(20)]),))
    server = serve()
    server.wait_for_spare()
    for number in range(8):
        cut(server, f"Count {number}", bool(number % 2))
    standin.reply = lambda _: Reply((Text("All is well."),))
    assert server.chat("How are you?", max_tokens=50)[2]["choices"][0]["message"]["content"] == "All is well."
    until(server.is_whole, 20, "nothing that is left over")


@pytest.mark.parametrize("stream", [False, True])
def test_going_on(serve: Any, standin: StandIn, stream: bool) -> None:
    """The same process answers what follows, bounded as before, with nothing in it but what the client has."""
    server = serve()
    server.wait_for_spare()
    standin.reply = lambda _: Reply((Text("Ready."),))
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Ready?"}]
    assert server.chat("", messages=messages, max_tokens=5)[0] == 200
    standin.reply = count
    messages += [{"role": "assistant", "content": "Ready."}, {"role": "user", "content": "Count"}]
    cut(server, "", stream, messages=messages)
    until(lambda: server.get("/ready")[1]["kept"]["idle"] == 1, what="the process on the shelf")
    standin.reply = lambda _: Reply((Text("5 6 7"),))
    messages += [{"role": "assistant", "content": "0 1 2 3 4 "}, {"role": "user", "content": "Go on"}]
    status, headers, body = server.chat("", messages=messages, max_tokens=5)
    assert (status, body["choices"][0]["message"]["content"]) == (200, "5 6 7")
    assert headers["x-proxy-served"] == "rewound"
    assert [body["max_tokens"] for body in standin.messages] == [5, 5, 5]
    last = standin.messages[-1]
    assert [message["role"] for message in last["messages"] if message["role"] != "system"] == [
        "user",
        "assistant",
    ] * 2 + ["user"]
    assert "Output token limit" not in json.dumps(last)


def test_whole_answers(keeping_server: Server, standin: StandIn) -> None:
    """An answer that is not cut in the end goes on in its process as ever."""
    standin.reply = lambda _: Reply((Text(["one ", "two ", "three"], pause=PAUSE),))
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Say three words"}]
    for served in (None, "kept", "kept"):
        status, headers, body = keeping_server.chat("", messages=messages, max_tokens=50)
        assert (status, body["choices"][0]["finish_reason"]) == (200, "stop")
        assert served is None or headers["x-proxy-served"] == served
        messages += [body["choices"][0]["message"], {"role": "user", "content": "Again"}]
    assert [body["max_tokens"] for body in standin.messages] == [50, 50, 50]


def test_calls(keeping_server: Server, standin: StandIn) -> None:
    """A call after words goes to the client, and its result to the process that waits."""
    replies = iter(
        [
            Reply((Text(["Let ", "me look"], pause=PAUSE), ToolUse("look", {}, "toolu_1"))),
            Reply((Text(["It ", "is blue"], pause=PAUSE),)),
        ]
    )
    standin.reply = lambda _: next(replies)
    messages: list[dict[str, Any]] = [{"role": "user", "content": "What colour is it?"}]
    _, _, body = keeping_server.chat("", messages=messages, max_tokens=60, tools=[LOOK])
    call = body["choices"][0]["message"]
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    messages += [call, {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "blue"}]
    _, headers, body = keeping_server.chat("", messages=messages, max_tokens=60, tools=[LOOK])
    assert (headers["x-proxy-served"], body["choices"][0]["message"]["content"]) == ("parked", "It is blue")
    assert len(standin.messages) == 2


@pytest.mark.parametrize("pause", [0, PAUSE], ids=["at once", "slowly"])
def test_an_invented_tool(server: Server, standin: StandIn, pause: float) -> None:
    """A tool that does not exist is for the CLI to answer; it may ask again."""
    replies = iter(
        [
            Reply(
                (
                    Text(["Let ", "me see"], pause=PAUSE),
                    ToolUse("invented", {"a": "b" * 50}, "toolu_1", parts=5, pause=pause),
                )
            ),
            Reply((Text("Never mind."),)),
        ]
    )
    standin.reply = lambda _: next(replies)
    status, _, body = server.chat("Hm?", max_tokens=60, tools=[LOOK])
    assert (status, body["choices"][0]["finish_reason"]) == (200, "stop")
    assert body["choices"][0]["message"]["content"].endswith("Never mind.")


def test_thinking(server: Server, standin: StandIn) -> None:
    """What is thought counts, though little of it is shown."""
    thought = Thinking(["Hm. " * 20] * 3, pause=PAUSE)
    standin.reply = lambda _: Reply((thought, Text(["one ", "two "], pause=PAUSE)), stop_reason="max_tokens")
    before = totals(server)
    status, _, body = server.chat("Think", max_tokens=1100, reasoning_effort="high")
    assert (status, body["choices"][0]["finish_reason"]) == (200, "length")
    until(lambda: totals(server)["requests"] == before["requests"] + 1, what="row")
    until(lambda: totals(server)["unpriced"] == before["unpriced"], what="price")
    assert len(standin.messages) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_broken_off(server: Server, standin: StandIn, stream: bool) -> None:
    """An answer that breaks off near its bound is asked for again, or told as that, never as if it were whole."""
    replies = iter([Reply((Text(["one ", "two ", "three"], pause=PAUSE),), cut_after=2)])
    standin.reply = lambda _: next(replies, Reply((Text("All of it."),)))
    status, _, body = server.chat("Say it", stream=stream, max_tokens=50)
    text = json.dumps(body)
    assert "All of it." in text or "answer_cut" in text or "broke off" in text, (status, body)
