"""Legacy completions the whole way: the real openai client, a real gunicorn, the real CLI, a stand-in API."""

from __future__ import annotations

import openai
import pytest
from server import Server, events

from app.standin import Failure, Reply, StandIn, Text


@pytest.fixture
def client(server: Server) -> openai.OpenAI:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="not-needed", max_retries=0) as client:
        yield client


def asked(body: dict) -> str:
    """Return the text of the question in an API request."""
    content = [turn for turn in body["messages"] if turn["role"] == "user"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def continued(body: dict) -> Reply:
    """The question's own words, in capitals and in two pieces."""
    text = asked(body).strip().upper()
    return Reply((Text([text[:2], text[2:]]),), input_tokens=10, output_tokens=4)


def test_whole(client: openai.OpenAI, standin: StandIn) -> None:
    """A prompt reaches the API verbatim, under the instruction to write on, and its continuation comes back."""
    completion = client.completions.create(model="claude-haiku-4", prompt="/* @/etc/hosts \n", temperature=0)
    sent = standin.messages[-1]
    assert asked(sent) == "/* @/etc/hosts \n"
    assert "text completion engine" in sent["system"][-1]["text"]
    assert sent.get("tools", []) == []
    assert completion.choices[0].text == "One two three."
    assert (completion.choices[0].finish_reason, completion.choices[0].index) == ("stop", 0)
    assert (completion.object, completion.model) == ("text_completion", sent["model"])
    assert completion.id.startswith("cmpl-")
    assert completion.usage.total_tokens > 0


def test_stream(client: openai.OpenAI) -> None:
    """A stream carries the text in pieces, then the reason, then one chunk with the counts."""
    stream = client.completions.create(
        model="claude-haiku-4", prompt="Once", stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = list(stream)
    assert len(chunks) > 2
    assert "".join(chunk.choices[0].text for chunk in chunks) == "One two three."
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert last.choices == []
    assert last.usage.total_tokens > 0
    assert len({(c.id, c.created, c.model, c.object) for c in [*chunks, last]}) == 1


def test_several_prompts(client: openai.OpenAI, standin: StandIn, stream: bool) -> None:
    """Each prompt gets its own choices, in their order, and the counts are those of all."""
    standin.reply = continued
    answer = client.completions.create(
        model="claude-haiku-4", prompt=["first", "second"], n=2, echo=True, stream=stream
    )
    texts = [""] * 4
    chunks = list(answer) if stream else [answer]
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        texts[choice.index] += choice.text
    assert texts == ["firstFIRST", "firstFIRST", "secondSECOND", "secondSECOND"]
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (40, 16)
    assert len(standin.messages) == 4


def test_stop(client: openai.OpenAI, standin: StandIn, stream: bool) -> None:
    """A stop text ends the answer before it, also where the pieces cut it, and the API is told of it."""
    standin.reply = lambda _: Reply((Text(["a E", "N", "D b"]),))
    answer = client.completions.create(model="claude-haiku-4", prompt="Once", stop=["END"], stream=stream)
    choices = [chunk.choices[0] for chunk in answer] if stream else [answer.choices[0]]
    assert "".join(choice.text for choice in choices) == "a "
    assert choices[-1].finish_reason == "stop"
    assert standin.messages[-1]["stop_sequences"] == ["END"]


def test_max_tokens(client: openai.OpenAI, standin: StandIn, stream: bool) -> None:
    """The limit is the API's, and reaching it ends the answer with `length`."""
    standin.reply = lambda _: Reply((Text("Once upon a"),), stop_reason="max_tokens")
    answer = client.completions.create(model="claude-haiku-4", prompt="Once", max_tokens=5, stream=stream)
    choices = [chunk.choices[0] for chunk in answer] if stream else [answer.choices[0]]
    assert "".join(choice.text for choice in choices) == "Once upon a"
    assert choices[-1].finish_reason == "length"
    assert standin.messages[0]["max_tokens"] == 5


def test_on_the_wire(server: Server) -> None:
    """The bytes are what the contract says, without /v1 as well, and what was ignored is named."""
    body = {"model": "haiku", "prompt": "Once", "stream": True, "suffix": "}", "best_of": 2, "logprobs": 1}
    status, headers, data = server.request("POST", "/completions", body)
    assert status == 200
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["x-proxy-ignored"] == "suffix, best_of, logprobs"
    assert data.startswith(b"data: ")
    found = events(data)
    assert found[-1] == "[DONE]"
    assert set(found[0]["choices"][0]) == {"text", "index", "logprobs", "finish_reason"}
    assert found[-2]["usage"]["total_tokens"] > 0


def test_refused(client: openai.OpenAI, standin: StandIn) -> None:
    """A prompt in tokens is a 400 that says so, and costs nothing."""
    with pytest.raises(openai.BadRequestError, match="tokens") as caught:
        client.completions.create(model="claude-haiku-4", prompt=[1, 2, 3])
    assert caught.value.param == "prompt[0]"
    assert standin.requests == []


def test_failure(client: openai.OpenAI, standin: StandIn, stream: bool) -> None:
    """A failure before the first word has its own status, streamed or not."""
    standin.reply = lambda _: Failure.overloaded()
    with pytest.raises(openai.InternalServerError) as caught:
        client.completions.create(model="claude-haiku-4", prompt=["a", "b"], stream=stream)
    assert caught.value.status_code == 503
