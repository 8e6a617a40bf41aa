"""The whole way: the real openai client, a real gunicorn, the real CLI, a stand-in API."""

from __future__ import annotations

import json
from pathlib import Path

import openai
import pytest
from server import Server, events, text_of

from app.standin import Reply, StandIn, Text, Thinking


@pytest.fixture
def client(server: Server) -> openai.OpenAI:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="not-needed", max_retries=0) as client:
        yield client


def test_whole_answer(client: openai.OpenAI, standin: StandIn) -> None:
    """A question gets its answer, the model that gave it and the API's token counts."""
    standin.reply = lambda _: Reply(
        (Text(["Hel", "lo."]),), input_tokens=12, output_tokens=5, cache_read=7, cache_creation=3
    )
    completion = client.chat.completions.create(model="claude-sonnet-4", messages=[{"role": "user", "content": "Hi"}])
    assert completion.choices[0].message.content == "Hello."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == standin.messages[-1]["model"]
    assert completion.usage.prompt_tokens == 22
    assert completion.usage.prompt_tokens_details.cached_tokens == 7
    assert completion.usage.completion_tokens == 5


def test_stream(client: openai.OpenAI) -> None:
    """A stream begins with the role, carries the text in pieces and ends with a finish reason and one usage chunk."""
    stream = client.chat.completions.create(
        model="claude-sonnet-4",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[0].choices[0].delta.content == ""
    assert [c.choices[0].delta.role for c in chunks[1:-1]] == [None] * (len(chunks) - 2)
    assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == "One two three."
    assert [c.choices[0].finish_reason for c in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens > 0
    assert len({(c.id, c.created, c.model) for c in chunks}) == 1


def test_stream_on_the_wire(server: Server) -> None:
    """The bytes are what the contract says: headers, the role first, usage on the last chunk, the end mark."""
    body = {"model": "opus", "stream": True, "messages": [{"role": "user", "content": "Hi"}], "seed": 1}
    status, headers, data = server.request("POST", "/chat/completions", body)
    assert status == 200
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-request-id"].startswith("req_")
    assert headers["x-proxy-served"] == "spare"
    assert headers["x-proxy-ignored"] == "seed"
    assert data.startswith(b"data: ")
    assert b"event:" not in data
    found = events(data)
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert found[-1] == "[DONE]"
    assert found[-2]["choices"][0]["finish_reason"] == "stop"
    assert found[-2]["usage"]["total_tokens"] > 0
    assert all("usage" not in chunk for chunk in found[:-2])


def test_twenty_turns_reach_the_api_natively(server: Server, standin: StandIn) -> None:
    """A conversation of twenty turns arrives as twenty turns, each side's words verbatim and in order."""
    words = [f'line {n}\n\twith «ünïcode» 🙂 and "quotes" ' for n in range(19)]
    roles = ["user", "assistant"]
    messages = [{"role": "system", "content": "Be brief."}]
    messages += [{"role": roles[n % 2], "content": text} for n, text in enumerate(words)]
    assert server.chat("", messages=messages)[0] == 200
    sent = [turn for turn in standin.messages[-1]["messages"] if turn["role"] != "system"]
    assert [turn["role"] for turn in sent] == [roles[n % 2] for n in range(19)]
    assert [_last_text(turn) for turn in sent] == words
    assert [block["text"] for block in standin.messages[-1]["system"]][-1] == "Be brief."


def _last_text(turn: dict) -> str:
    content = turn["content"]
    return content if isinstance(content, str) else content[-1]["text"]


@pytest.mark.parametrize("text", ["@/etc/hosts", "/help me", "!ls", "/clear", "#note", "  /x  ", "{}\r\n\u2028\\"])
def test_text_is_verbatim(server: Server, standin: StandIn, text: str) -> None:
    """What would be a command or a file name to the CLI reaches the API as the text it is, and nothing beside it."""
    history = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    parts = [{"type": "input_text", "text": "a"}, {"type": "text", "text": text}]
    messages = [*history, {"role": "user", "content": parts}]
    assert server.chat("", messages=messages)[0] == 200
    sent = [turn for turn in standin.messages[-1]["messages"] if turn["role"] != "system"]
    assert [_last_text(turn) for turn in sent] == [text, text, text]
    assert [block["text"] for block in sent[-1]["content"]] == ["a", text]
    assert Path("/etc/hosts").read_text().splitlines()[0] not in json.dumps(standin.messages[-1])


def test_small_request(server: Server, standin: StandIn) -> None:
    """The API request of a one-line chat is at most 3 kB, and offers the model no tool."""
    assert server.chat("Hello!")[0] == 200
    assert standin.requests[-1].size <= 3000
    assert standin.messages[-1].get("tools", []) == []


def test_model_is_the_one_asked_for(server: Server, standin: StandIn) -> None:
    """Aliases get the family's newest, full names pass as they are, others get the default; one API request each."""
    for name in ("claude-haiku-4", "claude-opus-4-6", "claude-max/sonnet", "gpt-5.4"):
        status, _, body = server.chat("Hi", model=name)
        assert status == 200
        assert body["model"] == standin.messages[-1]["model"]
    assert [m["model"] for m in standin.messages] == [
        "claude-haiku-5-5",
        "claude-opus-4-6",
        "claude-sonnet-5-5",
        "claude-opus-5-5",
    ]


def test_several_text_blocks(server: Server, standin: StandIn) -> None:
    """Text blocks of one answer are separated by a blank line, thinking stays out."""
    standin.reply = lambda _: Reply((Thinking(["hmm"], "c2ln"), Text(["a", "b"]), Text(["c"])))
    assert server.chat("Hi")[2]["choices"][0]["message"]["content"] == "ab\n\nc"
    assert text_of(server.chat("Hi", stream=True)[2]) == "ab\n\nc"


def test_models_cost_nothing(server: Server, standin: StandIn) -> None:
    """Lists, single models, health and readiness are served in every spelling, and never ask the API."""
    ids = [entry["id"] for entry in server.get("/v1/models")[1]["data"]]
    assert ids[:3] == ["claude-opus-4", "claude-sonnet-4", "claude-haiku-4"]
    assert "claude-sonnet-5-5" in ids
    assert server.get("/models/")[1]["data"][0]["object"] == "model"
    assert server.get("/v1/models/claude-code-cli/claude-opus-4")[1]["id"] == "claude-opus-4"
    assert server.get("/v1/models/fable")[0] == 200
    assert server.get("/v1/models/gpt-5.4")[0] == 404
    assert server.get("/health")[1]["provider"] == "claude-code-cli"
    ready = server.get("/ready")
    assert ready[0] == 200
    assert ready[1]["login"] in {"present", "verified"}
    assert server.request("HEAD", "/v1/models")[0] == 200
    assert server.request("OPTIONS", "/v1/chat/completions")[0] == 200
    assert standin.messages == []
    assert server.chat("Hi")[0] == 200
    assert server.get("/ready")[1]["login"] == "verified"


def test_tool_history_is_native(server: Server, standin: StandIn) -> None:
    """Calls and results of earlier rounds arrive as tool_use and tool_result, ids matched by letters and digits."""
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Ulm"}'}}
    messages = [
        {"role": "user", "content": "Rain?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call1", "content": "dry"},
    ]
    assert server.chat("", messages=messages)[0] == 200
    sent = [turn for turn in standin.messages[-1]["messages"] if turn["role"] != "system"]
    assert sent[1]["content"][0]["type"] == "tool_use"
    assert sent[1]["content"][0]["input"] == {"city": "Ulm"}
    assert sent[2]["content"][0]["type"] == "tool_result"
    assert sent[2]["content"][0]["tool_use_id"] == sent[1]["content"][0]["id"]
