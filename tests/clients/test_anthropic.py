"""The anthropic SDK with its own defaults: whole and streamed, thinking, tool loops, typed answers, error classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest
from server import Server
from talk import turns

from app.standin import Reply, StandIn, Text, Thinking

from .scenario import (
    ADDRESS,
    ANSWER,
    FORECAST,
    MODEL,
    PARAMETERS,
    QUESTION,
    Address,
    assert_native_round,
    two_calls_then_text,
)

HELLO: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER = {"name": "get_weather", "description": "Current weather of a city", "input_schema": PARAMETERS}
THINKING: Any = {"type": "adaptive"}


@pytest.fixture
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    """A client as anybody makes it: two retries."""
    with anthropic.Anthropic(base_url=server.url, api_key="not-needed") as client:
        assert client.max_retries == 2
        yield client


def create(client: anthropic.Anthropic, **fields: Any) -> anthropic.types.Message:
    return client.messages.create(**{"model": MODEL, "max_tokens": 1000, "messages": HELLO, **fields})


def streamed(client: anthropic.Anthropic, **fields: Any) -> tuple[list[Any], anthropic.types.Message]:
    """Return the events and the final message of the stream helper."""
    with client.messages.stream(**{"model": MODEL, "max_tokens": 1000, "messages": HELLO, **fields}) as stream:
        events = list(stream)
        return events, stream.get_final_message()


def test_create(client: anthropic.Anthropic) -> None:
    """A question gets its answer, with counts and an id to ask about it."""
    message = create(client, system="Be kind.")
    assert [block.text for block in message.content] == [ANSWER]
    assert (message.stop_reason, message.role, message.type) == ("end_turn", "assistant", "message")
    assert message.usage.input_tokens > 0
    assert message._request_id.startswith("req_")


def test_stream(client: anthropic.Anthropic) -> None:
    """The helper tells of each piece of text, and has the message at the end."""
    events, message = streamed(client)
    assert [event.text for event in events if event.type == "text"] == ["One ", "two ", "three."]
    assert message.content[0].text == ANSWER
    assert (message.stop_reason, message.usage.output_tokens > 0) == ("end_turn", True)


def test_thinking(client: anthropic.Anthropic, standin: StandIn, *, stream: bool) -> None:
    """Thinking that was asked for comes with its signature; handed back it reaches the API, in the same process."""
    standin.reply = lambda _: Reply((Thinking(["Hm, ", "so."], signature="c2lnMQ=="), Text(["Yes."])))
    if stream:
        events, message = streamed(client, thinking=THINKING)
        assert [event.thinking for event in events if event.type == "thinking"] == ["Hm, ", "so."]
    else:
        message = create(client, thinking=THINKING)
    thought, said = message.content
    assert (thought.thinking, thought.signature, said.text) == ("Hm, so.", "c2lnMQ==", "Yes.")
    history = [*HELLO, {"role": "assistant", "content": message.content}, {"role": "user", "content": "Sure?"}]
    raw = client.messages.with_raw_response.create(model=MODEL, max_tokens=1000, messages=history, thinking=THINKING)
    assert raw.headers["x-proxy-served"] == "kept"
    told = turns(standin.messages[-1])[1][1][0]
    assert told == {"type": "thinking", "thinking": "Hm, so.", "signature": "c2lnMQ=="}


def test_thinking_replayed(client: anthropic.Anthropic, standin: StandIn) -> None:
    """Thinking of another process's answer reaches the API as it was; without being asked for, none is shown."""
    standin.reply = lambda _: Reply((Thinking("Hm."), Text("Yes.")))
    thought = {"type": "thinking", "thinking": "Elsewhere.", "signature": "c2lnMg=="}
    call = {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {}}
    failed = {"type": "tool_result", "tool_use_id": "toolu_01", "content": "no sky", "is_error": True}
    history = [
        *HELLO,
        {"role": "assistant", "content": [thought, call]},
        {"role": "user", "content": [failed]},
    ]
    message = create(client, messages=history, tools=[WEATHER])
    assert [block.type for block in message.content] == ["text"]
    (_, asked), (_, said), (_, results) = turns(standin.messages[-1])
    assert said == [thought, call]
    assert [(result["tool_use_id"], result["is_error"]) for result in results] == [("toolu_01", True)]
    assert asked[0]["text"] == "Hi"


def next_messages(message: anthropic.types.Message, weather: Callable[[str], str], **more: Any) -> list[Any]:
    """Return the conversation with the two calls and their results."""
    assert message.stop_reason == "tool_use"
    calls = [block for block in message.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": weather(call.input["city"]), **more}
        for call in calls
    ]
    return [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": results},
    ]


def test_tool_round(client: anthropic.Anthropic, tool_round: Callable[[str], str], *, stream: bool) -> None:
    """Two calls at once come to the client, and their results lead to the final answer in the parked process."""
    fields: dict[str, Any] = {"tools": [WEATHER]}
    asked = [{"role": "user", "content": QUESTION}]
    if stream:
        events, first = streamed(client, messages=asked, **fields)
        pieces = [event.partial_json for event in events if event.type == "input_json"]
        assert "".join(pieces) == '{"city": "Ulm"}{"city": "Rome"}'
        _, final = streamed(client, messages=next_messages(first, tool_round), **fields)
    else:
        first = create(client, messages=asked, **fields)
        final = create(client, messages=next_messages(first, tool_round), **fields)
    assert [block.text for block in final.content] == [FORECAST]
    assert final.stop_reason == "end_turn"


def test_failed_tools(client: anthropic.Anthropic, standin: StandIn) -> None:
    """Results that are errors reach the API as such, word for word."""
    standin.reply = two_calls_then_text
    fields: dict[str, Any] = {"tools": [WEATHER], "thinking": THINKING}
    first = create(client, messages=[{"role": "user", "content": QUESTION}], **fields)
    create(client, messages=next_messages(first, lambda city: f" {city}? ", is_error=True), **fields)
    results = turns(standin.messages[-1])[-1][1]
    assert [result["is_error"] for result in results] == [True, True]
    assert [result["content"][0]["text"] for result in results] == [" Ulm? ", " Rome? "]


def test_tool_runner(client: anthropic.Anthropic, standin: StandIn) -> None:
    """The SDK's own loop runs the client's functions until the answer is there."""
    standin.reply = two_calls_then_text

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """Return the current weather of a city."""
        return {"Ulm": "dry", "Rome": "wet"}[city]

    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=1000, tools=[get_weather], messages=[{"role": "user", "content": QUESTION}]
    )
    assert runner.until_done().content[0].text == FORECAST
    assert_native_round(standin)


def test_parse(client: anthropic.Anthropic, structured: None) -> None:
    """`.parse` gives the object of a pydantic class."""
    message = client.messages.parse(model=MODEL, max_tokens=1000, messages=HELLO, output_format=Address)
    assert message.parsed_output == ADDRESS


def test_stop_sequence(client: anthropic.Anthropic, standin: StandIn, *, stream: bool) -> None:
    """An answer ends before a stop sequence, which is told."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),))
    fields: dict[str, Any] = {"stop_sequences": ["three"]}
    message = streamed(client, **fields)[1] if stream else create(client, **fields)
    assert (message.content[0].text, message.stop_reason, message.stop_sequence) == (
        "One two ",
        "stop_sequence",
        "three",
    )


def test_max_tokens(client: anthropic.Anthropic, standin: StandIn) -> None:
    """An answer that is cut at max_tokens says so."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),))
    assert create(client, max_tokens=2).stop_reason == "max_tokens"


def test_models(client: anthropic.Anthropic) -> None:
    """The list of models, and each of them, come in Anthropic's shape; an unknown one is a NotFoundError."""
    create(client)
    models = list(client.models.list())
    assert {"claude-opus-4", "claude-sonnet-4", "claude-haiku-4"} <= {model.id for model in models}
    assert all(model.type == "model" and model.display_name and model.created_at for model in models)
    assert client.models.retrieve("claude-sonnet-4").id == "claude-sonnet-4"
    with pytest.raises(anthropic.NotFoundError) as raised:
        client.models.retrieve("gpt-9")
    assert raised.value.type == "not_found_error"


def test_count_tokens(client: anthropic.Anthropic, standin: StandIn) -> None:
    """Tokens are counted without asking the model."""
    assert client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 0
    assert standin.messages == []


def test_first_event(server: Server) -> None:
    """A stream begins with the beginning of its message, as the API's does, and holds no ping while words come."""
    body = {"model": MODEL, "max_tokens": 10, "messages": HELLO, "stream": True}
    status, headers, data = server.request("POST", "/v1/messages", body, {"anthropic-version": "2023-06-01"})
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert data.startswith(b"event: message_start\n")
    assert b"event: ping" not in data
    assert json.loads(data.rstrip().rpartition(b"data: ")[2]) == {"type": "message_stop"}
