"""LiteLLM with an openai/ model and its own defaults: completion, stream, tools, response_format, exceptions."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from server import Server

# Without it, the import fetches a list of prices from GitHub.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

from .scenario import ADDRESS, ANSWER, FORECAST, MODEL, QUESTION, TOOL, Address, Refusal

# LiteLLM's own response classes, which pydantic reads when the first one is made.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Items? '.*' on TypedDict class .* the `ReadOnly` qualifier:UserWarning:pydantic"
)
HELLO = [{"role": "user", "content": "Hi"}]
CLASSES = {
    401: litellm.AuthenticationError,
    429: litellm.RateLimitError,
    400: litellm.ContextWindowExceededError,
}


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """An event loop, closed at the end: LiteLLM takes the thread's in sync calls too, or leaves one open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def complete(server: Server) -> Callable[..., Any]:
    """Return `litellm.completion` for this server."""

    def complete(messages: list[Any], **fields: Any) -> Any:
        return litellm.completion(
            model=f"openai/{MODEL}", api_base=f"{server.url}/v1", api_key="not-needed", messages=messages, **fields
        )

    return complete


def test_chat(complete: Callable[..., Any]) -> None:
    """A question gets its answer."""
    answer = complete(HELLO)
    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0


def test_stream(complete: Callable[..., Any]) -> None:
    """A stream gives the answer piece by piece, and ends with its reason."""
    choices = [chunk.choices[0] for chunk in complete(HELLO, stream=True)]
    pieces = [choice.delta.content or "" for choice in choices]
    assert "".join(pieces) == ANSWER
    assert sum(map(bool, pieces)) == 3
    assert choices[-1].finish_reason == "stop"


def test_tool_round(complete: Callable[..., Any], tool_round: Callable[[str], str], *, stream: bool) -> None:
    """Two calls at once come to the client, and their results lead to the final answer."""

    def ask(messages: list[Any]) -> Any:
        answer = complete(messages, tools=[TOOL], stream=stream)
        return litellm.stream_chunk_builder(list(answer), messages=messages) if stream else answer

    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    choice = ask(messages).choices[0]
    assert choice.finish_reason == "tool_calls"
    messages.append(choice.message.model_dump())
    for call in choice.message.tool_calls:
        weather = tool_round(json.loads(call.function.arguments)["city"])
        messages.append({"role": "tool", "tool_call_id": call.id, "content": weather})
    assert ask(messages).choices[0].message.content == FORECAST


def test_response_format(complete: Callable[..., Any], structured: None) -> None:
    """A pydantic class as response_format gives JSON that fits it."""
    content = complete(HELLO, response_format=Address).choices[0].message.content
    assert Address.model_validate_json(content) == ADDRESS


def test_refusal(complete: Callable[..., Any], refused: Refusal, *, stream: bool) -> None:
    """A refusal is LiteLLM's own exception of its kind, with the words, and is not tried again."""
    with pytest.raises(CLASSES[refused.status]) as raised:
        complete(HELLO, stream=stream)
    assert raised.value.status_code == refused.status
    assert [words for words in refused.words if words not in str(raised.value)] == [], str(raised.value)
