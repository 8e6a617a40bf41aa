"""LangChain's ChatOllama and OllamaLLM, which speak Ollama's protocol alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ollama
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from server import Server

from app.standin import Reply, StandIn, Text, Thinking

from .scenario import ADDRESS, ANSWER, FORECAST, MODEL, QUESTION, WEATHER, Address

LATEST = f"{MODEL}:latest"


@pytest.fixture
def model(server: Server) -> ChatOllama:
    return ChatOllama(model=LATEST, base_url=server.url, validate_model_on_init=True)


@tool
def get_weather(city: str) -> str:
    """Return the weather of a city."""
    return WEATHER[city]


def test_invoke(model: ChatOllama) -> None:
    """A question gets its answer, with the reason of its end and its tokens; the model is found in the list."""
    answer = model.invoke("Hi")
    assert answer.content == ANSWER
    assert answer.response_metadata["done_reason"] == "stop"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] > 0


def test_stream(model: ChatOllama) -> None:
    """A stream gives the answer piece by piece."""
    pieces = [chunk.text for chunk in model.stream("Hi")]
    assert [piece for piece in pieces if piece] == ["One ", "two ", "three."]


def test_tool_round(model: ChatOllama, tool_round: Callable[[str], str]) -> None:
    """Two calls at once come out of `bind_tools`, and their ToolMessages lead to the final answer."""
    bound = model.bind_tools([get_weather])
    messages: list[Any] = [HumanMessage(QUESTION)]
    messages.append(bound.invoke(messages))
    for call in messages[-1].tool_calls:
        messages.append(ToolMessage(tool_round(call["args"]["city"]), tool_call_id=call["id"], name=call["name"]))
    assert bound.invoke(messages).content == FORECAST


def test_structured(model: ChatOllama, structured: None) -> None:
    """`with_structured_output` gives the object."""
    assert model.with_structured_output(Address).invoke("Hi") == ADDRESS


def test_reasoning(server: Server, standin: StandIn) -> None:
    """Thinking comes apart from the answer."""
    standin.reply = lambda _: Reply((Thinking(["Hm."]), Text(["So."])))
    answer = ChatOllama(model=LATEST, base_url=server.url, reasoning=True).invoke("Hi")
    assert (answer.content, answer.additional_kwargs["reasoning_content"]) == ("So.", "Hm.")


def test_text(server: Server) -> None:
    """A text is answered by generate."""
    assert OllamaLLM(model=LATEST, base_url=server.url).invoke("Hi") == ANSWER


def test_embeddings(server: Server) -> None:
    """Embeddings are refused in words."""
    with pytest.raises(ollama.ResponseError, match="Embeddings are not offered"):
        OllamaEmbeddings(model=LATEST, base_url=server.url).embed_query("Hi")
