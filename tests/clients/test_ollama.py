"""Ollama's own Python client: chat, generate, tools, pictures, forms, thinking, models and refusals."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import ollama
import pytest
from server import Server
from talk import turns

from app.standin import Reply, StandIn, Text, Thinking

from .scenario import ADDRESS, ANSWER, FORECAST, QUESTION, WEATHER, Address, Refusal

MODEL = "claude-sonnet-4:latest"
HELLO = [{"role": "user", "content": "Hi"}]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


@pytest.fixture
def client(server: Server) -> Iterator[ollama.Client]:
    client = ollama.Client(host=server.url)
    yield client
    client.close()


def get_weather(city: str) -> str:
    """Return the weather of a city.

    Args:
        city: Its name
    """
    return WEATHER[city]


def test_chat(client: ollama.Client) -> None:
    """A question gets its answer, with the reason of its end, its tokens and how long it took."""
    answer = client.chat(MODEL, HELLO)
    assert (answer.message.role, answer.message.content) == ("assistant", ANSWER)
    assert (answer.model, answer.done, answer.done_reason) == (MODEL, True, "stop")
    assert answer.prompt_eval_count > 0
    assert answer.eval_count > 0
    assert answer.total_duration > answer.eval_duration > 0


def test_stream(client: ollama.Client) -> None:
    """A stream gives the answer piece by piece, and the numbers once."""
    chunks = list(client.chat(MODEL, HELLO, stream=True))
    assert [chunk.message.content for chunk in chunks if chunk.message.content] == ["One ", "two ", "three."]
    *others, last = chunks
    assert (last.done, last.done_reason) == (True, "stop")
    assert last.eval_count > 0
    assert not any(chunk.done or chunk.eval_count for chunk in others)


def test_generate(client: ollama.Client, standin: StandIn, *, stream: bool) -> None:
    """A prompt is answered as a text; the system prompt, the bound and the stops reach the API."""
    asked = {"system": "Be kind.", "options": {"num_predict": 9, "stop": ["END"], "seed": 1}}
    answer = client.generate(MODEL, "Hi", stream=stream, **asked)
    text = "".join(chunk.response for chunk in answer) if stream else answer.response
    assert text == ANSWER
    (body,) = standin.messages
    assert (body["max_tokens"], body["stop_sequences"]) == (9, ["END"])
    assert body["system"][-1]["text"] == "Be kind."


def test_tool_round(client: ollama.Client, tool_round: Callable[[str], str], *, stream: bool) -> None:
    """Two calls at once come to the client, and their results, which name no call, lead to the final answer."""
    messages: list[ollama.Message | dict[str, str]] = [{"role": "user", "content": QUESTION}]

    def ask() -> ollama.Message:
        if not stream:
            return client.chat(MODEL, messages, tools=[get_weather]).message
        said = [chunk.message for chunk in client.chat(MODEL, messages, tools=[get_weather], stream=True)]
        calls = [call for message in said for call in message.tool_calls or ()]
        text = "".join(message.content or "" for message in said)
        return ollama.Message(role="assistant", content=text, tool_calls=calls or None)

    first = ask()
    assert first.tool_calls is not None
    messages.append(first)
    for call in first.tool_calls:
        name, given = call.function.name, call.function.arguments
        messages.append({"role": "tool", "tool_name": name, "content": tool_round(given["city"])})
    assert ask().content == FORECAST


@pytest.mark.parametrize("way", ["chat", "generate"])
def test_picture(client: ollama.Client, standin: StandIn, tmp_path: Path, way: str) -> None:
    """A picture reaches the API as what it is, from a file or from bytes."""
    path = tmp_path / "pixel.jpg"
    path.write_bytes(PIXEL)
    if way == "chat":
        client.chat(MODEL, [{"role": "user", "content": "What is it?", "images": [str(path)]}])
    else:
        client.generate(MODEL, "What is it?", images=[PIXEL])
    ((_, blocks),) = turns(standin.messages[0])
    assert [block["type"] for block in blocks] == ["text", "image"]
    assert blocks[1]["source"]["media_type"] == "image/png"
    assert base64.b64decode(blocks[1]["source"]["data"]) == PIXEL


def test_structured(client: ollama.Client, structured: None, *, stream: bool) -> None:
    """A pydantic schema gives the object."""
    answer = client.chat(MODEL, HELLO, format=Address.model_json_schema(), stream=stream)
    text = "".join(chunk.message.content for chunk in answer) if stream else answer.message.content
    assert Address.model_validate_json(text) == ADDRESS


@pytest.mark.parametrize("think", [True, "high"])
def test_thinking(client: ollama.Client, standin: StandIn, *, think: bool | str, stream: bool) -> None:
    """Thinking comes apart from the answer where it is asked for, with as much effort as is asked for."""
    standin.reply = lambda _: Reply((Thinking(["Hm, ", "well."]), Text(["So."])))
    answer = client.chat(MODEL, HELLO, think=think, stream=stream)
    said = [chunk.message for chunk in answer] if stream else [answer.message]
    assert "".join(message.thinking or "" for message in said) == "Hm, well."
    assert "".join(message.content or "" for message in said) == "So."
    if think == "high":
        assert standin.messages[0]["output_config"]["effort"] == "high"
    assert client.chat(MODEL, HELLO).message.thinking is None


def test_models(client: ollama.Client) -> None:
    """The models are listed and shown under Ollama's names; none is in memory, and loading one asks nothing."""
    client.chat(MODEL, HELLO)
    names = {model.model for model in client.list().models}
    assert {"claude-opus-4:latest", "claude-sonnet-4:latest", "claude-haiku-4:latest"} <= names
    shown = client.show(MODEL)
    assert {"completion", "tools", "vision", "thinking"} == set(shown.capabilities)
    assert shown.modelinfo["claude.context_length"] >= 200_000
    assert list(client.ps().models) == []
    assert client.generate(MODEL).done_reason == "load"
    assert client.chat(MODEL, keep_alive=0).done_reason == "unload"
    with pytest.raises(ollama.ResponseError, match="'llama3' not found") as raised:
        client.show("llama3")
    assert raised.value.status_code == 404


def test_not_offered(client: ollama.Client) -> None:
    """What has no meaning here is refused in words."""
    for ask, words in (
        (lambda: client.embed(MODEL, "Hi"), "Embeddings"),
        (lambda: client.embeddings(MODEL, "Hi"), "Embeddings"),
        (lambda: client.pull("llama3"), "not managed"),
        (lambda: client.push("llama3"), "not managed"),
        (lambda: client.create("mine", from_=MODEL), "not managed"),
        (lambda: client.copy(MODEL, "mine"), "not managed"),
        (lambda: client.delete(MODEL), "not managed"),
    ):
        with pytest.raises(ollama.ResponseError, match=words) as raised:
            ask()
        assert raised.value.status_code == 501


def test_refusal(client: ollama.Client, refused: Refusal, *, stream: bool) -> None:
    """A refusal is the client's own error with status and words, and is not tried again."""
    with pytest.raises(ollama.ResponseError) as raised:
        list(client.chat(MODEL, HELLO, stream=stream))
    assert raised.value.status_code == refused.status
    assert all(words in raised.value.error for words in refused.words)
