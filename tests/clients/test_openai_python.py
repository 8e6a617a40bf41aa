"""openai-python with its own defaults: plain and streamed, sync and async, typed answers, exceptions by class."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion
from server import Server

from .scenario import ADDRESS, ANSWER, FORECAST, MODEL, QUESTION, TOOL, Address, Refusal

HELLO: list[Any] = [{"role": "user", "content": "Hi"}]
CLASSES = {401: openai.AuthenticationError, 429: openai.RateLimitError, 400: openai.BadRequestError}


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    """A client as anybody makes it: two retries."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="not-needed") as client:
        assert client.max_retries == 2
        yield client


def with_async(server: Server, work: Callable[[openai.AsyncOpenAI], Any]) -> Any:
    """Return what `work` gives for an async client, opened and closed in a loop of its own."""

    async def run() -> Any:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="not-needed") as client:
            return await work(client)

    return asyncio.run(run())


def test_chat(client: openai.OpenAI) -> None:
    """A question gets its answer."""
    completion = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert completion.choices[0].message.content == ANSWER
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens > 0


def test_stream(client: openai.OpenAI) -> None:
    """The raw stream gives the answer piece by piece."""
    with client.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as stream:
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == ANSWER
    assert sum(map(bool, pieces)) == 3


def test_stream_helper(client: openai.OpenAI) -> None:
    """`.stream()` tells of each piece, of the whole content, and has the completion at the end."""
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        events = list(stream)
        completion = stream.get_final_completion()
    assert "".join(event.delta for event in events if event.type == "content.delta") == ANSWER
    assert [event.content for event in events if event.type == "content.done"] == [ANSWER]
    assert completion.choices[0].message.content == ANSWER
    assert completion.usage.total_tokens > 0


def test_async(server: Server) -> None:
    """The async client gets an answer, whole and in pieces, with several requests at a time."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        whole = client.chat.completions.create(model=MODEL, messages=HELLO)
        stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        completion, chunks = await asyncio.gather(whole, stream)
        return completion, [chunk.choices[0].delta.content or "" async for chunk in chunks]

    completion, pieces = with_async(server, work)
    assert completion.choices[0].message.content == ANSWER
    assert "".join(pieces) == ANSWER


def next_messages(completion: ChatCompletion, weather: Callable[[str], str]) -> list[Any]:
    """Return the conversation with the two calls and their results."""
    choice = completion.choices[0]
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    cities = [json.loads(call.function.arguments)["city"] for call in calls]
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": weather(city)}
        for call, city in zip(calls, cities, strict=True)
    ]
    said = choice.message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
    return [{"role": "user", "content": QUESTION}, said, *results]


def test_tool_round(client: openai.OpenAI, tool_round: Callable[[str], str]) -> None:
    """Two calls at once come to the client, and their results lead to the final answer."""
    fields: dict[str, Any] = {"model": MODEL, "tools": [TOOL]}
    first = client.chat.completions.create(messages=[{"role": "user", "content": QUESTION}], **fields)
    final = client.chat.completions.create(messages=next_messages(first, tool_round), **fields)
    assert final.choices[0].message.content == FORECAST
    assert final.choices[0].finish_reason == "stop"


def test_tool_round_streamed(client: openai.OpenAI, tool_round: Callable[[str], str]) -> None:
    """The same in two streams; the helper tells of each call's arguments when they are whole."""
    fields: dict[str, Any] = {"model": MODEL, "tools": [TOOL]}
    with client.chat.completions.stream(messages=[{"role": "user", "content": QUESTION}], **fields) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        first = stream.get_final_completion()
    assert [(event.index, json.loads(event.arguments)["city"]) for event in done] == [(0, "Ulm"), (1, "Rome")]
    with client.chat.completions.stream(messages=next_messages(first, tool_round), **fields) as stream:
        stream.until_done()
        assert stream.get_final_completion().choices[0].message.content == FORECAST


def test_tool_round_async(server: Server, tool_round: Callable[[str], str]) -> None:
    """The same with the async client."""

    async def work(client: openai.AsyncOpenAI) -> ChatCompletion:
        fields: dict[str, Any] = {"model": MODEL, "tools": [TOOL]}
        first = await client.chat.completions.create(messages=[{"role": "user", "content": QUESTION}], **fields)
        return await client.chat.completions.create(messages=next_messages(first, tool_round), **fields)

    assert with_async(server, work).choices[0].message.content == FORECAST


def test_parse(client: openai.OpenAI, structured: None) -> None:
    """`.parse` gives the object of a pydantic class."""
    completion = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Address)
    assert completion.choices[0].message.parsed == ADDRESS
    assert completion.choices[0].message.refusal is None


def test_parse_streamed(client: openai.OpenAI, structured: None) -> None:
    """`.stream()` with a pydantic class has the object at the end, and no prose in between."""
    with client.chat.completions.stream(model=MODEL, messages=HELLO, response_format=Address) as stream:
        done = [event for event in stream if event.type == "content.done"]
        completion = stream.get_final_completion()
    assert [event.parsed for event in done] == [ADDRESS]
    assert completion.choices[0].message.parsed == ADDRESS


def test_parse_async(server: Server, structured: None) -> None:
    """`.parse` of the async client gives the object too."""

    async def work(client: openai.AsyncOpenAI) -> Any:
        return await client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Address)

    assert with_async(server, work).choices[0].message.parsed == ADDRESS


def test_refusal(client: openai.OpenAI, refused: Refusal, *, stream: bool) -> None:
    """A refusal is the exception of its status, with code and words, and is not tried again."""
    with pytest.raises(CLASSES[refused.status]) as raised:
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
    assert_told(raised.value, refused)


def test_refusal_async(server: Server, refused: Refusal) -> None:
    """The async client raises the same."""
    with pytest.raises(CLASSES[refused.status]) as raised:
        with_async(server, lambda client: client.chat.completions.create(model=MODEL, messages=HELLO))
    assert_told(raised.value, refused)


def assert_told(error: openai.APIStatusError, refused: Refusal) -> None:
    assert (error.status_code, error.code) == (refused.status, refused.code)
    assert all(words in error.message for words in refused.words)
