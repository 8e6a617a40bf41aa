"""How many tokens a conversation has is asked of Anthropic's counter, by a process of the shelf, and of no model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from server import Server, until
from talk import process_of, turns

from app.standin import Failure, StandIn
from app.standin.stream import input_tokens

FAKE_CLAUDE = Path(__file__).parent.parent / "fake_claude.py"
COUNT, MESSAGES = "/v1/messages/count_tokens", "/v1/messages"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
TOOL = {"name": "look", "description": "Looks. " * 40, "input_schema": {"type": "object", "properties": {}}}
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello!"}]
HISTORY: list[dict[str, Any]] = [
    {"role": "user", "content": "What is there?"},
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_01ABCDEF", "name": "look", "input": {"where": "here"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_01ABCDEF", "content": [{"type": "text", "text": "A lot."}]}
        ],
    },
    {"role": "assistant", "content": "A lot."},
    {"role": "user", "content": "/help with @/etc/hosts"},
    {"role": "assistant", "content": "No."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "And this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        ],
    },
]


def count(server: Server, messages: list[dict[str, Any]], path: str = COUNT, **fields: Any) -> tuple[int, str]:
    """Return how many tokens are counted, and whether that is said to be exact."""
    status, headers, data = server.request("POST", path, {"model": "sonnet", "messages": messages, **fields})
    assert status == 200, data
    return json.loads(data)["input_tokens"], headers["x-proxy-count"]


def counted(api: StandIn) -> list[dict[str, Any]]:
    """Return what the counter was asked about."""
    return [seen.body or {} for seen in api.requests if seen.path.partition("?")[0] == COUNT]


def says(body: dict[str, Any], text: str) -> bool:
    return text in json.dumps(body["messages"])


def turn(server: Server, messages: list[dict[str, Any]], **fields: Any) -> str:
    body = {"model": "sonnet", "max_tokens": 999, "messages": messages, **fields}
    status, headers, data = server.request("POST", MESSAGES, body)
    assert status == 200, data
    return headers["x-proxy-served"]


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request without what names its process."""
    return {name: value for name, value in body.items() if name != "metadata"}


@pytest.mark.parametrize("messages", [HELLO, HISTORY], ids=["one", "many"])
def test_exact(keeping_server: Server, standin: StandIn, messages: list[dict[str, Any]]) -> None:
    """Messages are counted as a turn would send them, the number is the counter's, and no model is asked."""
    tokens, how = count(keeping_server, messages)
    assert standin.messages == []
    (asked,) = [body for body in counted(standin) if not says(body, '"foo"')]
    assert (tokens, how) == (input_tokens(asked), "exact")
    assert asked["tools"] == []
    turn(keeping_server, messages)
    assert turns(asked) == turns(standin.messages[0])


def test_estimate(keeping_server: Server, standin: StandIn) -> None:
    """A system prompt and tools are counted as texts, with what the API says about tools; that is an estimate."""
    alone, _ = count(keeping_server, HELLO)
    with_system, how = count(keeping_server, HELLO, system="You are a poet. " * 30)
    assert how == "estimate"
    assert alone + 100 < with_system < alone + 200
    with_tools, how = count(keeping_server, HELLO, tools=[TOOL])
    assert how == "estimate"
    assert alone + 346 + 70 < with_tools < alone + 346 + 170
    asked = len(counted(standin))
    # The tools are known now, and the turn that follows gets them as they are.
    assert count(keeping_server, HELLO, tools=[TOOL]) == (with_tools, "estimate")
    assert not any(says(body, "Looks. ") for body in counted(standin)[asked:])
    turn(keeping_server, HELLO, tools=[TOOL])
    assert [tool["description"] for tool in standin.messages[0]["tools"]] == [TOOL["description"]]


@pytest.mark.parametrize("failure", [Failure.overloaded(), Failure.unauthorized(), Failure.plan_limit(4_000_000_000)])
def test_counter_that_fails(serve: Callable[..., Server], standin: StandIn, failure: Failure) -> None:
    """Where the counter gives no answer the CLI's own estimate comes, and is called one; no model is asked."""
    server = serve()
    standin.count = lambda _: failure
    tokens, how = count(server, HISTORY)
    assert (tokens > 10, how, standin.messages) == (True, "estimate", [])
    standin.count = lambda _: 12_345
    assert count(server, HISTORY) == (12_345, "exact")


@pytest.mark.parametrize(
    "messages",
    [
        [*HELLO, {"role": "assistant", "content": "Dear"}],
        [*HISTORY[:2], *HELLO],
    ],
    ids=["unfinished", "interrupted"],
)
def test_what_was_not_sent(keeping_server: Server, messages: list[dict[str, Any]]) -> None:
    """A conversation that had to be mended is not counted as it was sent."""
    assert count(keeping_server, messages)[1] == "estimate"


def test_nothing_is_left(serve: Callable[..., Server], standin: StandIn) -> None:
    """The process that counted answers the turn after it, and asks the API what a fresh process would."""
    server = serve(CLAUDE_PROXY_SPARES="1")
    fields: dict[str, Any] = {"system": "Be brief.", "tools": [TOOL]}
    server.wait_for_spare()
    turn(server, HISTORY[:5], **fields)
    first = HISTORY[:5]
    count(server, HISTORY, **fields)
    served = turn(server, HISTORY, **fields)
    count(server, first, **fields)
    again = turn(server, first, **fields)
    assert (served, again) == ("rewound", "rewound")
    assert len({process_of(body) for body in standin.messages}) == 1
    assert plain(standin.messages[2]) == plain(standin.messages[0])
    fresh = serve(CLAUDE_PROXY_SPARES="1")
    fresh.wait_for_spare()
    turn(fresh, HISTORY, **fields)
    one, other = standin.messages[3], standin.messages[1]
    # Beside their words they tell of the folder, which is the server's own.
    assert turns(one) == turns(other)
    assert {**plain(one), "messages": []} == {**plain(other), "messages": []}


def test_processes(serve: Callable[..., Server]) -> None:
    """One process counts for a client that asks again and again; without going back each is ended."""
    server = serve(CLAUDE_PROXY_SPARES="1")
    server.wait_for_spare()
    for length in (1, 5, 7, 5):
        count(server, HISTORY[:length])
    until(server.is_whole, 20, "whole")
    assert server.get("/ready")[1]["kept"]["idle"] == 1
    keeping_none = serve(CLAUDE_PROXY_KEEP="0", CLAUDE_PROXY_SPARES="1")
    keeping_none.wait_for_spare()
    assert count(keeping_none, HISTORY)[1] == "exact"
    until(keeping_none.is_whole, 20, "whole")
    assert keeping_none.get("/ready")[1]["kept"]["idle"] == 0


def test_clients(keeping_server: Server, standin: StandIn) -> None:
    """The SDKs of both APIs count, each in its own form."""
    with anthropic.Anthropic(base_url=keeping_server.url, api_key="x") as claude:
        told = claude.messages.count_tokens(
            model="claude-sonnet-4",
            messages=[{"role": "user", "content": "Hello!"}],
            system="Be kind.",
            tools=[{"name": "look", "input_schema": {"type": "object"}}],
            thinking={"type": "enabled", "budget_tokens": 2000},
        )
        assert told.input_tokens > 346
    with openai.OpenAI(base_url=f"{keeping_server.url}/v1", api_key="x") as client:
        number = client.responses.input_tokens.count(model="claude-sonnet-4", input="Hello!")
    assert (number.object, number.input_tokens) == ("response.input_tokens", count(keeping_server, HELLO)[0])
    assert standin.messages == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "model"),
        ({"model": "sonnet", "messages": []}, "messages"),
        ({"model": "sonnet", "messages": [{"role": "user"}]}, "messages[0].content"),
    ],
)
def test_refused(keeping_server: Server, body: dict[str, Any], words: str) -> None:
    """What a turn would not take is not counted either, and the field is named."""
    status, _, data = keeping_server.request("POST", COUNT, body)
    assert (status, words in json.loads(data)["error"]["message"]) == (400, True)


def test_executable_that_cannot(serve: Callable[..., Server], fake_server: Server) -> None:
    """An executable that is not proven to count is not asked to, with a 501; one that fails is tried twice."""
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), unproven=True, CLAUDE_PROXY_UNPROVEN="serve")
    status, headers, data = server.request("POST", COUNT, {"model": "sonnet", "messages": HELLO})
    assert (status, headers["x-should-retry"]) == (501, "false")
    assert "count" in json.loads(data)["error"]["message"]
    status, _, data = fake_server.request("POST", COUNT, {"model": "sonnet", "messages": HELLO})
    assert (status, json.loads(data)["error"]["details"]["error_code"]) == (502, "cli_error")
    until(fake_server.is_whole, 20, "whole")


def slow(seconds: float) -> Callable[[dict[str, Any]], int]:
    """Return a counter that takes its time."""

    def count(body: dict[str, Any]) -> int:
        time.sleep(seconds)
        return input_tokens(body)

    return count


def test_client_that_leaves(serve: Callable[..., Server], standin: StandIn) -> None:
    """A count whose client leaves ends at once, with its process, and the next one is answered."""
    server = serve(CLAUDE_PROXY_SPARES="1")
    server.wait_for_spare()
    standin.count = slow(20)
    connection = server.connect()
    connection.request("POST", COUNT, json.dumps({"model": "sonnet", "messages": HELLO}))
    until(lambda: counted(standin), 20, "the counter's being asked")
    connection.close()
    until(lambda: server.slots() == (0, 0), 5, "the count's end")
    standin.count = input_tokens
    assert count(server, HELLO)[1] == "exact"
    until(server.is_whole, 20, "whole")


def test_queue(serve: Callable[..., Server], standin: StandIn) -> None:
    """A count takes a slot as a turn does, and is refused where the queue is full; a key's limit holds for it."""
    key = "sk-laptop-0123456789abcdef"
    bearer = {"Authorization": f"Bearer {key}"}
    server = serve(
        CLAUDE_PROXY_MAX_CONCURRENCY="1",
        CLAUDE_PROXY_QUEUE_LIMIT="0",
        CLAUDE_PROXY_API_KEYS=f"laptop:{key},desk:{key}2",
        CLAUDE_PROXY_KEY_CONCURRENCY="1",
    )
    body = {"model": "sonnet", "messages": HELLO}
    standin.count = slow(3)
    first = server.connect()
    first.request("POST", COUNT, json.dumps(body), bearer)
    until(lambda: counted(standin), 20, "the counter's being asked")
    for token, code in ((key, "key_concurrency_limit"), (f"{key}2", "concurrency_limit")):
        status, _, data = server.request("POST", COUNT, body, {"Authorization": f"Bearer {token}"})
        assert (status, json.loads(data)["error"]["details"]["error_code"]) == (429, code)
    assert first.getresponse().status == 200
    first.close()
