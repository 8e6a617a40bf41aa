"""openai-agents: an agent with a function tool, over the Responses API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import agents
import openai
import pytest
from server import Server

from app.standin import StandIn

from .scenario import ANSWER, FORECAST, MODEL, QUESTION, WEATHER, assert_native_round, two_calls_then_text


@agents.function_tool
def get_weather(city: str) -> str:
    """Return the current weather of a city."""
    return WEATHER[city]


@pytest.fixture
def model(server: Server) -> Iterator[agents.OpenAIResponsesModel]:
    """The library's default kind of model; its tracing would talk to OpenAI."""
    agents.set_tracing_disabled(disabled=True)
    client = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="not-needed")
    return agents.OpenAIResponsesModel(MODEL, client)


def run(model: agents.OpenAIResponsesModel, question: str, *, stream: bool, tools: list[agents.Tool]) -> str:
    """Return an agent's answer."""

    async def work() -> str:
        agent = agents.Agent("Weatherman", instructions="Be kind.", model=model, tools=tools)
        if not stream:
            return str((await agents.Runner.run(agent, question)).final_output)
        result = agents.Runner.run_streamed(agent, question)
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    async def closed() -> str:
        try:
            return await work()
        finally:
            await model._client.close()

    return asyncio.run(closed())


def test_answer(model: agents.OpenAIResponsesModel, *, stream: bool) -> None:
    """An agent without tools answers."""
    assert run(model, "Hi", stream=stream, tools=[]) == ANSWER


def test_tool(model: agents.OpenAIResponsesModel, standin: StandIn, *, stream: bool) -> None:
    """An agent calls its function twice at once, and answers from what it gave."""
    standin.reply = two_calls_then_text
    assert run(model, QUESTION, stream=stream, tools=[get_weather]) == FORECAST
    assert_native_round(standin)
