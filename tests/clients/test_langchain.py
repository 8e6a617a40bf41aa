"""LangChain's ChatOpenAI with its own defaults: invoke, stream, tools, structured output, exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from server import Server

from app.standin import Reply, StandIn, ToolUse

from .scenario import ADDRESS, ANSWER, FORECAST, MODEL, QUESTION, WEATHER, Address, Refusal

# openai's parsed message is generic in its content, and pydantic says so when LangChain dumps it.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:(?s)Pydantic serializer warnings.*field_name='parsed':UserWarning:pydantic"
)
CLASSES = {401: openai.AuthenticationError, 429: openai.RateLimitError, 400: openai.BadRequestError}


@pytest.fixture
def model(server: Server) -> ChatOpenAI:
    return ChatOpenAI(model=MODEL, base_url=f"{server.url}/v1", api_key="not-needed")


@tool
def get_weather(city: str) -> str:
    """Return the weather of a city."""
    return WEATHER[city]


def test_invoke(model: ChatOpenAI) -> None:
    """A question gets its answer, with the reason of its end and its tokens."""
    answer = model.invoke("Hi")
    assert answer.content == ANSWER
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata["total_tokens"] > 0


def test_stream(model: ChatOpenAI) -> None:
    """A stream gives the answer piece by piece, and its tokens once."""
    chunks = list(model.stream("Hi"))
    assert "".join(chunk.text for chunk in chunks) == ANSWER
    assert sum(bool(chunk.text) for chunk in chunks) == 3
    assert sum(bool(chunk.usage_metadata) for chunk in chunks) == 1


def test_tool_round(model: ChatOpenAI, tool_round: Callable[[str], str], *, stream: bool) -> None:
    """Two calls at once come out of `bind_tools`, and their ToolMessages lead to the final answer."""
    bound = model.bind_tools([get_weather])

    def ask(messages: list[Any]) -> AIMessage | AIMessageChunk:
        if not stream:
            return bound.invoke(messages)
        first, *others = bound.stream(messages)
        return sum(others, first)

    messages: list[Any] = [HumanMessage(QUESTION)]
    messages.append(ask(messages))
    calls = messages[-1].tool_calls
    assert [(call["name"], call["args"]) for call in calls] == [("get_weather", {"city": city}) for city in WEATHER]
    messages += [get_weather.invoke(call) for call in calls]
    assert all(isinstance(message, ToolMessage) for message in messages[2:])
    assert ask(messages).content == FORECAST


def test_json_schema(model: ChatOpenAI, structured: None, *, stream: bool) -> None:
    """`with_structured_output` by response_format gives the object of a pydantic class."""
    typed = model.with_structured_output(Address, method="json_schema")
    assert (list(typed.stream("Where?"))[-1] if stream else typed.invoke("Where?")) == ADDRESS


def test_function_calling(model: ChatOpenAI, standin: StandIn, *, stream: bool) -> None:
    """`with_structured_output` by a tool that must be called gives it too; the API is offered that tool alone."""
    standin.reply = lambda _: Reply((ToolUse("Address", ADDRESS.model_dump()),))
    typed = model.with_structured_output(Address, method="function_calling")
    assert (list(typed.stream("Where?"))[-1] if stream else typed.invoke("Where?")) == ADDRESS
    assert [[tool["name"] for tool in body["tools"]] for body in standin.messages] == [["Address"]]


def test_refusal(model: ChatOpenAI, refused: Refusal, *, stream: bool) -> None:
    """A refusal is openai's exception, or LangChain's kind of it, with its words, and is not tried again."""
    with pytest.raises(CLASSES[refused.status]) as raised:
        list(model.stream("Hi")) if stream else model.invoke("Hi")
    assert raised.value.code == refused.code
    assert all(words in str(raised.value) for words in refused.words)
