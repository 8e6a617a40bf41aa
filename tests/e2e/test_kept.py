"""A conversation goes on in the process that has it; whatever does not fit exactly is replayed in another."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from lent import three_words
from server import CONFIG, GUNICORN, Server, read_until, until
from talk import Talk, told, turns

from app.standin import Reply, StandIn, Text, Thinking, ToolUse

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("look", "count")
]


@pytest.fixture
def numbered(standin: StandIn) -> Iterator[StandIn]:
    """Have each answer say which it is."""
    standin.reply = lambda _: Reply((Text(["Answer ", f"{len(standin.messages)}."]),))
    return standin


def spares(server: Server) -> set[int]:
    """Return the processes as they are when all is quiet."""
    until(server.is_whole, what="a whole server")
    return {process.pid for process in server.children()}


def test_ten_turns(keeping_server: Server, numbered: StandIn) -> None:
    """Turns 2 to 10 start no process, and each request of the API begins with the one before it."""
    talk = Talk(keeping_server)
    assert talk.ask("Question 0") in {"spare", "cold", "reused"}
    before = spares(keeping_server)
    assert [talk.ask(f"Question {number}") for number in range(1, 10)] == ["kept"] * 9
    assert spares(keeping_server) == before
    seen = [turns(body) for body in numbered.messages]
    assert [len(request) for request in seen] == list(range(1, 20, 2))
    for earlier, later in itertools.pairwise(seen):
        assert later[: len(earlier)] == earlier
    assert told(numbered.messages[-1]) == [(message["role"], message["content"]) for message in talk.messages[:-1]]


def test_prefix_is_the_same_when_replayed(keeping_server: Server, standin: StandIn) -> None:
    """A replay sends what the kept process would have sent, so that the API's cache of the prompt holds."""
    standin.reply = tool_rounds(1, Text(["Let me look."]))
    talk = Talk(keeping_server, tools=TOOLS)
    talk.ask("What is there?")
    talk.send(*talk.results())
    assert talk.ask("And now?") == "kept"
    kept = standin.messages[-1]
    # Its process is busy with something else, so that another has to be told all of it.
    standin.reply = lambda _: Reply((Text(["One ", "two "]),), silent_after=1)
    again = Talk(keeping_server, tools=TOOLS)
    again.messages = talk.messages[:-2]
    body = {"model": "sonnet", "messages": [*talk.messages, {"role": "user", "content": "Wait"}], "tools": TOOLS}
    with keeping_server.open_stream("", body={**body, "stream": True}) as connection:
        read_until(connection, b"One ")
        standin.reply = three_words
        assert again.ask("And now?") in {"spare", "cold", "reused"}
    assert turns(standin.messages[-1]) == turns(kept)
    assert standin.messages[-1]["tools"] == kept["tools"]
    assert standin.messages[-1]["system"] == kept["system"]


def tool_rounds(number: int, *first: Any, calls: tuple[str, ...] = ("look",)) -> Callable[[dict[str, Any]], Reply]:
    """Return what calls tools until it has had `number` rounds of results, then says so."""

    def reply(body: dict[str, Any]) -> Reply:
        rounds = sum(
            any(block["type"] == "tool_result" for block in blocks) for role, blocks in turns(body) if role == "user"
        )
        if rounds >= number:
            return Reply((Text([f"Done after {rounds}."]),))
        return Reply((*first, *(ToolUse(name, {"round": rounds}) for name in calls)))

    return reply


def test_five_tool_rounds(keeping_server: Server, standin: StandIn) -> None:
    """Five rounds of two parallel calls run in one process, which keeps the thinking and gets every result."""
    standin.reply = tool_rounds(5, Thinking(["Hm, ", "let me see."]), Text(["I look. "]), calls=("look", "count"))
    talk = Talk(keeping_server, tools=TOOLS)
    assert talk.ask("How many?") in {"spare", "cold", "reused"}
    before = spares(keeping_server)
    assert [talk.send(*talk.results(f"result {number}")) for number in range(5)] == ["parked"] * 5
    assert talk.messages[-1]["content"] == "Done after 5."
    assert spares(keeping_server) == before
    assert len(standin.messages) == 6
    seen = [turns(body) for body in standin.messages]
    for earlier, later in itertools.pairwise(seen):
        assert later[: len(earlier)] == earlier
    for number in range(5):
        said, results = seen[-1][1 + 2 * number][1], seen[-1][2 + 2 * number][1]
        assert [block["type"] for block in said] == ["thinking", "text", "tool_use", "tool_use"]
        assert [block["tool_use_id"] for block in results] == [block["id"] for block in said[2:]]
        assert all(block["content"][0]["text"].startswith(f"result {number} ") for block in results)
    assert talk.ask("Thanks") == "kept"


def test_results_in_another_order(keeping_server: Server, standin: StandIn) -> None:
    """Each call gets its own result, in whatever order the client gives them."""
    standin.reply = tool_rounds(1, calls=("look", "count", "look"))
    talk = Talk(keeping_server, tools=TOOLS)
    talk.ask("How many?")
    ids = [call["id"] for call in talk.messages[-1]["tool_calls"]]
    assert talk.send(*reversed(talk.results("for"))) == "parked"
    results = turns(standin.messages[-1])[-1][1]
    assert [block["content"][0]["text"] for block in results] == [f"for {call_id}" for call_id in ids]


@pytest.mark.parametrize(
    "content",
    ["", "x" * 100_000, [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]],
    ids=["empty", "long", "picture"],
)
def test_results_that_the_cli_would_change(keeping_server: Server, standin: StandIn, content: Any) -> None:
    """A result that the CLI would replace, cut or convert is told as it is, for which the process goes back."""
    standin.reply = tool_rounds(1)
    talk = Talk(keeping_server, tools=TOOLS)
    talk.ask("How many?")
    (result,) = talk.results()
    assert talk.send({**result, "content": content}) == "rewound"
    (block,) = turns(standin.messages[-1])[-1][1]
    parts = block["content"]
    if isinstance(content, list):
        assert [part["type"] for part in parts] == ["image"]
        assert parts[0]["source"]["data"] == "iVBORw0KGgo="
    else:
        assert "".join(part["text"] for part in parts) == content


VERBATIM = [
    "  padded\n",
    "ﬁ … ①",
    "a\u200bb\u202e",
    "\x00\x1b[31m",
    '{"a": "\\u00e9"}',
    "/clear",
    "@/etc/hosts",
    "\n." * 40_000,
]


def test_results_arrive_verbatim(keeping_server: Server, standin: StandIn) -> None:
    """A parked process hands results on character by character."""
    standin.reply = tool_rounds(1, calls=("look",) * len(VERBATIM))
    talk = Talk(keeping_server, tools=TOOLS)
    talk.ask("How many?")
    results = [{**result, "content": text} for result, text in zip(talk.results(), VERBATIM, strict=True)]
    assert talk.send(*results) == "parked"
    blocks = turns(standin.messages[-1])[-1][1]
    assert [block["content"] for block in blocks] == [[{"type": "text", "text": text}] for text in VERBATIM]


def test_results_with_a_remark(keeping_server: Server, standin: StandIn) -> None:
    """Results that come with further words of the user take the parked process back to the question, and are told."""
    standin.reply = tool_rounds(1)
    talk = Talk(keeping_server, tools=TOOLS)
    talk.ask("How many?")
    until(lambda: keeping_server.get("/ready")[1]["kept"]["parked"] >= 1, what="a parked process")
    parked = keeping_server.get("/ready")[1]["kept"]["parked"]
    assert talk.send(*talk.results(), {"role": "user", "content": "And hurry."}) == "rewound"
    assert [block["type"] for block in turns(standin.messages[-1])[-1][1]] == ["tool_result", "text"]
    assert keeping_server.get("/ready")[1]["kept"]["parked"] == parked - 1
    assert len(standin.messages) == 2


def test_same_words_other_answers(keeping_server: Server, numbered: StandIn) -> None:
    """Two clients with the same questions and different answers each go on with their own."""
    one, two = Talk(keeping_server), Talk(keeping_server)
    for talk in (one, two):
        talk.ask("Hello")
    assert two.ask("Go on") == "kept"
    # Another's process, if no spare happens to be ready.
    assert one.ask("Go on") in {"reused", "spare"}
    for talk, body in zip((two, one), numbered.messages[-2:], strict=True):
        assert told(body) == [(message["role"], message["content"]) for message in talk.messages[:-1]]


def test_branches(keeping_server: Server, numbered: StandIn) -> None:
    """The first to go on gets the process, a second branch from the same place takes it back there."""
    talk = Talk(keeping_server)
    talk.ask("Question")
    branch = Talk(keeping_server)
    branch.messages = [dict(message) for message in talk.messages]
    assert talk.ask("Left") == "kept"
    assert branch.ask("Right") == "rewound"
    assert told(numbered.messages[-1])[-1] == ("user", "Right")
    assert len(told(numbered.messages[-1])) == 3


def test_several_turns_at_once(keeping_server: Server, numbered: StandIn) -> None:
    """A client may add an exchange of its own; the process takes up all that is new."""
    talk = Talk(keeping_server)
    talk.ask("Question 0")
    talk.messages += [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]
    assert talk.ask("3 + 3?") == "kept"
    assert told(numbered.messages[-1]) == [(message["role"], message["content"]) for message in talk.messages[:-1]]


def waiting(server: Server) -> list[psutil.Process]:
    """Return the processes of a server that has no spares, when nothing runs."""
    until(lambda: server.slots() == (0, 0), what="quiet")
    return server.children()


def test_processes_that_died(serve: Callable[..., Server], standin: StandIn) -> None:
    """After kill -9 of a kept process, and of a parked one, the next request is answered by replay."""
    server = serve(CLAUDE_PROXY_SPARES="0")
    standin.reply = tool_rounds(1)
    talk = Talk(server, tools=TOOLS)
    talk.ask("How many?")
    (parked,) = waiting(server)
    parked.kill()
    assert talk.send(*talk.results()) == "cold"
    assert talk.messages[-1]["content"] == "Done after 1."
    (kept,) = waiting(server)
    kept.kill()
    assert talk.ask("Sure?") == "cold"
    assert len(turns(standin.messages[-1])) == 5
    assert len(standin.messages) == 3


def test_end_of_the_wait(serve: Callable[..., Server], numbered: StandIn) -> None:
    """All that wait go after their time."""
    server = serve(CLAUDE_PROXY_KEEP_SECONDS="1", CLAUDE_PROXY_SPARES="0")
    talk = Talk(server)
    assert talk.ask("Hello") == "cold"
    until(lambda: waiting(server) == [], 30, what="its end")
    assert talk.ask("Go on") == "cold"


def test_room_for_turns(serve: Callable[..., Server], standin: StandIn) -> None:
    """Kept processes and running turns together are no more than the turns allowed."""
    server = serve(CLAUDE_PROXY_MAX_CONCURRENCY="2", CLAUDE_PROXY_SPARES="0")
    talks = [Talk(server), Talk(server, model="opus")]
    for number, talk in enumerate(talks):
        # Of another model each, so that none can have another's process.
        talk.ask(f"Question {number}")
    assert len(waiting(server)) == 2
    assert server.chat("Something else", model="haiku")[0] == 200
    until(lambda: len(waiting(server)) == 2, what="room")
    assert talks[0].ask("Go on") == "cold"


def test_end_of_the_server(serve: Callable[..., Server], standin: StandIn) -> None:
    """Kept and parked processes end with their server, and a parked one asks the API no more."""
    standin.reply = tool_rounds(1)
    server = serve()
    Talk(server, tools=TOOLS).ask("How many?")
    standin.reply = lambda _: Reply((Text(["Fine."]),))
    Talk(server).ask("How are you?")
    until(server.is_whole, what="a whole server")
    assert server.get("/ready")[1]["kept"] == {"limit": 4, "idle": 1, "parked": 1}
    server.stop()
    assert server.children() == []
    time.sleep(0.2)
    assert len(standin.messages) == 2


def test_a_second_worker(serve: Callable[..., Server], numbered: StandIn) -> None:
    """Whichever worker gets the next request, its answer is that of the conversation."""
    server = serve((*GUNICORN, *CONFIG, "--workers", "2", "wsgi:app"))
    talk = Talk(server)
    served = {talk.ask(f"Question {number}") for number in range(8)}
    assert served <= {"kept", "spare", "cold", "reused"}
    assert told(numbered.messages[-1]) == [(message["role"], message["content"]) for message in talk.messages[:-1]]
