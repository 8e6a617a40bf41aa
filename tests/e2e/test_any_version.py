"""What every version of `claude` that is served must do for clients; `python -m tests.versions` runs these with each.

Notes that some versions put before the user's words are left out of what is compared.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from server import Server, text_of, until
from talk import Talk, turns

from app.standin import Failure, Reply, StandIn, Text, ToolUse

NOTES = ("<system-reminder>", "<local-command-", "<command-name>")
LOOK = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks things up. " * 500,
        "parameters": {"type": "object", "properties": {"filter[id]": {"type": "string"}}},
    },
}
FORM = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


@pytest.fixture(scope="module")
def any_server(session_serve: Callable[..., Server]) -> Any:
    server = session_serve()
    yield server
    server.kill()


@pytest.fixture
def server(any_server: Server, standin: StandIn) -> Server:
    """A server as a user has it, shared by these tests."""
    any_server.wait_for_spare()
    return any_server


def words(body: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the texts that a request says, turn by turn."""
    return [
        (role, [block["text"] for block in blocks if "text" in block and not block["text"].startswith(NOTES)])
        for role, blocks in turns(body)
    ]


@pytest.mark.parametrize("text", ["/help me", "@/etc/hosts", "!ls", "#note", "/clear"])
def test_words_are_words(server: Server, standin: StandIn, text: str) -> None:
    """What might mean more to Claude Code is a text like any other, in a question and in the history."""
    history = [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    body = {"model": "sonnet", "messages": [{"role": "system", "content": "Be kind."}, *history, *history[:1]]}
    assert server.request("POST", "/v1/chat/completions", body)[0] == 200
    (asked,) = standin.messages
    told = [(role, [part.removeprefix("\n") for part in parts]) for role, parts in words(asked)]
    assert told == [("user", [text]), ("assistant", ["Yes."]), ("user", [text])]
    assert not asked.get("tools")
    assert asked["system"][-1]["text"] == "Be kind."
    assert "localhost" not in json.dumps(asked)


def test_whole_and_streamed(server: Server, stream: bool) -> None:
    """An answer comes as it is, whole or in pieces."""
    status, _, body = server.chat("Hello", stream=stream)
    assert status == 200
    text = text_of(body) if stream else body["choices"][0]["message"]["content"]
    assert text == "One two three."
    assert "sonnet" in (body[0] if stream else body)["model"]


def test_a_conversation(server: Server, standin: StandIn) -> None:
    """Turns that go on, an edited one and a new beginning reach the model as they are."""
    talk = Talk(server)
    for text in ("One", "Two", "Three"):
        talk.ask(text)
    talk.messages[2:] = []
    talk.ask("Two, edited")
    Talk(server).ask("One")
    said = [[text for _, parts in words(body) for text in parts] for body in standin.messages]
    answer = "One two three."
    assert said == [
        ["One"],
        ["One", answer, "Two"],
        ["One", answer, "Two", answer, "Three"],
        ["One", answer, "Two, edited"],
        ["One"],
    ]


def test_tools(server: Server, standin: StandIn) -> None:
    """A client's tool is offered as it is, its call comes back, and its result reaches the model."""
    standin.reply = lambda body: Reply((Text("Found."),)) if "the result" in json.dumps(body) else call
    call = Reply((ToolUse("look_up", {}, "toolu_01abc"),))
    talk = Talk(server, tools=[LOOK])
    talk.ask("Look")
    assert talk.messages[-1]["tool_calls"][0]["function"]["name"] == "look_up"
    talk.send(*talk.results("the result"))
    assert talk.messages[-1]["content"] == "Found."
    first, last = standin.messages
    (tool,) = first["tools"]
    assert (tool["name"], tool["description"]) == ("look_up", LOOK["function"]["description"])
    results = [block for _, blocks in turns(last) for block in blocks if block["type"] == "tool_result"]
    assert "the result" in json.dumps(results)


def test_form(server: Server, standin: StandIn) -> None:
    """An answer can be bound to a schema."""
    filled = Reply((ToolUse("StructuredOutput", {"n": 3}),))
    standin.reply = lambda body: filled if len(standin.messages) == 1 else Reply((Text("Done."),))
    form = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": FORM}}
    status, _, body = server.chat("A number", response_format=form)
    assert status == 200, body
    assert json.loads(body["choices"][0]["message"]["content"]) == {"n": 3}


def test_bounds(server: Server, standin: StandIn) -> None:
    """What bounds an answer reaches the API."""
    status, _, body = server.chat("Hello", max_tokens=2000, stop=["two"], reasoning_effort="low")
    assert status == 200
    assert body["choices"][0]["message"]["content"] == "One "
    (asked,) = standin.messages
    assert (asked["max_tokens"], asked["stop_sequences"]) == (2000, ["two"])
    assert asked["output_config"]["effort"] == "low"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Failure.plan_limit(int(time.time()) + 3600), 429, "rate_limit_exceeded"),
        (Failure.unauthorized(), 401, "claude_not_logged_in"),
        (Failure.overloaded(), 503, "overloaded"),
        (Failure.prompt_too_long(300_000, 200_000), 400, "context_length_exceeded"),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_failures(server: Server, standin: StandIn, failure: Failure, status: int, code: str, *, stream: bool) -> None:
    """A failure has its true status, in both modes."""
    standin.reply = lambda _: failure
    got, _, body = server.chat("Hello", stream=stream)
    error = body[-1]["error"] if isinstance(body, list) else body["error"]
    assert (got, error["code"]) == (status, code)


def test_clients_that_leave(server: Server, standin: StandIn) -> None:
    """A client that leaves ends its turn, and the next one is answered."""
    standin.reply = lambda _: Reply((Text(["One ", "two"]),), silent_after=1)
    with server.open_stream("Hello") as connection:
        until(lambda: b"One" in connection.recv(65536), what="the first word")
    until(lambda: server.slots() == (0, 0), 15, "the end of the turn")
    standin.reply = lambda _: Reply((Text("Yes."),))
    assert server.chat("Again")[0] == 200
    assert words(standin.messages[-1]) == [("user", ["Again"])]
