"""Function calling and structured output through the real CLI: what the API sees, what the client gets."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest
from server import Server, text_of, until

from app.dialects.tools import MAX_TOOLS
from app.standin import Reply, StandIn, Text, Thinking, ToolUse

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
BASH = {"type": "function", "function": {"name": "Bash", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="not-needed", max_retries=0) as client:
        yield client


def two_calls_then_text(body: dict[str, Any]) -> Reply:
    results = [b for m in body["messages"] for b in m["content"] if isinstance(b, dict) and b["type"] == "tool_result"]
    if results:
        return Reply((Text(["Ulm is dry, ", "Rome wet."]),))
    calls = (ToolUse("get_weather", {"city": "Ulm"}), ToolUse("get_weather", {"city": "Rome"}))
    return Reply((Text(["Let me look."]), *calls))


def asked(standin: StandIn) -> list[dict[str, Any]]:
    """The turns of the last API request, without the notes that the CLI adds as system messages."""
    return [message for message in standin.messages[-1]["messages"] if message["role"] != "system"]


@pytest.mark.parametrize("stream", [False, True])
def test_parallel_tool_round(client: openai.OpenAI, standin: StandIn, stream: bool) -> None:
    """Two calls go to the client with the text before them, their results come back natively, an answer ends it."""
    standin.reply = two_calls_then_text
    messages: list[Any] = [{"role": "user", "content": "Weather in Ulm and Rome?"}]
    fields: dict[str, Any] = {"model": "claude-sonnet-4", "tools": [WEATHER, BASH]}
    if stream:
        with client.chat.completions.stream(messages=messages, **fields) as events:
            choice = events.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(messages=messages, **fields).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me look."
    calls = choice.message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Ulm"}, {"city": "Rome"}]
    assert all(call.function.name == "get_weather" and call.id.isalnum() and len(call.id) <= 40 for call in calls)
    assert sorted(tool["name"] for tool in standin.messages[-1]["tools"]) == ["Bash", "get_weather"]

    messages.append(choice.message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "dry"} for call in calls]
    final = client.chat.completions.create(messages=messages, **fields).choices[0]
    assert final.message.content == "Ulm is dry, Rome wet."
    assert final.finish_reason == "stop"
    turns = asked(standin)
    assert [block["type"] for block in turns[1]["content"]] == ["text", "tool_use", "tool_use"]
    assert [block["type"] for block in turns[2]["content"]] == ["tool_result", "tool_result"], turns[2]
    assert [b["tool_use_id"] for b in turns[2]["content"]] == [b["id"] for b in turns[1]["content"][1:]]


def test_invented_tool_is_not_forwarded(server: Server, standin: StandIn) -> None:
    """A call of a tool that nobody offered never reaches the client; the turn goes on without it."""

    def reply(_: dict[str, Any]) -> Reply:
        return Reply((ToolUse("rm", {"path": "/"}),)) if len(standin.messages) == 1 else Reply((Text(["Sorry."]),))

    standin.reply = reply
    message = server.chat("Hi", tools=[WEATHER])[2]["choices"][0]["message"]
    assert message["content"] == "Sorry."
    assert "tool_calls" not in message


def test_plain_chat_has_no_tools(server: Server, standin: StandIn) -> None:
    """Without tools the model is offered none, and a call of the CLI's own Bash runs nothing."""

    def reply(_: dict[str, Any]) -> Reply:
        call = ToolUse("Bash", {"command": f"touch {server.state}/owned", "description": "x"})
        return Reply((call,)) if len(standin.messages) == 1 else Reply((Text(["No."]),))

    standin.reply = reply
    assert server.chat("Run it")[2]["choices"][0]["message"]["content"] == "No."
    assert not (server.state / "owned").exists()


def test_many_tools(server: Server, standin: StandIn) -> None:
    """A hundred and twenty-eight tools of a kilobyte all reach the API."""
    tools = [
        {
            "type": "function",
            "function": {"name": f"tool_{n}", "description": "x" * 1000, "parameters": {"type": "object"}},
        }
        for n in range(128)
    ]
    assert server.chat("Hi", tools=tools)[0] == 200
    assert len(standin.messages[-1]["tools"]) == 128


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses"])
def test_more_tools(server: Server, standin: StandIn, path: str) -> None:
    """Chat completions alone have OpenAI's limit: 265 tools reach the API, and 1,024 do; one more is a 400."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}

    def asked(number: int) -> int:
        names = [f"mcp__server__tool_{n}" for n in range(number)]
        body: dict[str, Any] = {"model": "sonnet", "input": "Hi"}
        tools: list[Any] = [{"type": "function", "name": name, "parameters": schema} for name in names]
        if path == "/v1/messages":
            body = {"model": "sonnet", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
            tools = [{"name": name, "input_schema": schema} for name in names]
        return server.request("POST", path, {**body, "tools": tools})[0]

    for number in (265, MAX_TOOLS):
        assert asked(number) == 200
        assert len(standin.messages[-1]["tools"]) == number
    assert asked(MAX_TOOLS + 1) == 400


@pytest.mark.parametrize("stream", [False, True])
def test_required_tool(server: Server, standin: StandIn, stream: bool) -> None:
    """A model that must call a tool and does not is asked once more, then the client gets an honest error."""

    def lazy(_: dict[str, Any]) -> Reply:
        return (
            Reply((Text(["Hm."]),)) if len(standin.messages) == 1 else Reply((ToolUse("get_weather", {"city": "Ulm"}),))
        )

    standin.reply = lazy
    fields = {"tools": [WEATHER, BASH], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
    _, _, body = server.chat("Hi", stream=stream, **fields)
    reason = body[-2]["choices"][0]["finish_reason"] if stream else body["choices"][0]["finish_reason"]
    assert reason == "tool_calls"
    assert [tool["name"] for tool in standin.messages[0]["tools"]] == ["get_weather"]
    standin.reply = lambda _: Reply((Text(["Never."]),))
    status, _, body = server.chat("Hi", stream=stream, **fields)
    assert status == (200 if stream else 502)
    assert (body[-1] if stream else body)["error"]["code"] == "tool_choice_not_satisfied"


def test_one_call_at_a_time(server: Server, standin: StandIn) -> None:
    """`parallel_tool_calls: false` reaches the API."""
    assert server.chat("Hi", tools=[WEATHER], parallel_tool_calls=False)[0] == 200
    assert standin.messages[-1]["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


class Street(pydantic.BaseModel):
    name: str


class Address(pydantic.BaseModel):
    street: Street
    number: int


def test_parse_with_pydantic(client: openai.OpenAI, standin: StandIn) -> None:
    """openai's `parse` gets its object from a schema with `$defs`, though the model's first try did not fit."""

    def reply(_: dict[str, Any]) -> Reply:
        number: Any = "seven" if len(standin.messages) == 1 else 7
        return Reply((Text(["Sure: "]), ToolUse("StructuredOutput", {"street": {"name": "Größe"}, "number": number})))

    standin.reply = reply
    completion = client.chat.completions.parse(
        model="claude-sonnet-4", messages=[{"role": "user", "content": "Where?"}], response_format=Address
    )
    assert completion.choices[0].message.parsed == Address(street=Street(name="Größe"), number=7)
    assert completion.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_json_object(server: Server, standin: StandIn, stream: bool) -> None:
    """The content is exactly the JSON, never prose around it; what never comes is an error."""
    standin.reply = lambda _: Reply((Text(["Here you go: "]), ToolUse("StructuredOutput", {"a": [1, "ü"]})))
    _, _, body = server.chat("Hi", stream=stream, response_format={"type": "json_object"})
    content = text_of(body) if stream else body["choices"][0]["message"]["content"]
    assert json.loads(content) == {"a": [1, "ü"]}
    standin.reply = lambda _: Reply((Text(["I'd rather not."]),))
    status, _, body = server.chat("Hi", stream=stream, response_format={"type": "json_object"})
    assert status == (200 if stream else 502)
    assert (body[-1] if stream else body)["error"]["code"] == "schema_not_satisfied"


def test_tools_and_schema_together(server: Server, standin: StandIn) -> None:
    """With both, a call comes back as a call and the final answer as JSON."""
    standin.reply = lambda _: Reply((ToolUse("get_weather", {"city": "Ulm"}),))
    fields = {"tools": [WEATHER], "response_format": {"type": "json_object"}}
    assert server.chat("Hi", **fields)[2]["choices"][0]["finish_reason"] == "tool_calls"
    standin.reply = lambda _: Reply((ToolUse("StructuredOutput", {"rain": False}),))
    choice = server.chat("Hi", **fields)[2]["choices"][0]
    assert json.loads(choice["message"]["content"]) == {"rain": False}
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_max_tokens(server: Server, standin: StandIn, stream: bool) -> None:
    """The API gets the bound, and the first cut ends the answer as `length`."""
    standin.reply = lambda _: Reply((Text([f"{n} " for n in range(20)]),))
    _, _, body = server.chat("Count", stream=stream, max_tokens=5)
    assert standin.messages[0]["max_tokens"] == 5
    if stream:
        assert text_of(body) == "0 1 2 3 4 "
        assert body[-2]["choices"][0]["finish_reason"] == "length"
    else:
        assert body["choices"][0]["message"]["content"] == "0 1 2 3 4 "
        assert body["choices"][0]["finish_reason"] == "length"
        assert body["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "sonnet"])
@pytest.mark.parametrize("number", [20, 1024, 1500])
def test_small_max_tokens(server: Server, standin: StandIn, model: str, number: int) -> None:
    """A small bound is for the answer: a model that thinks by a budget does not think, and the API refuses nothing."""
    status, _, body = server.chat("Give this chat a title", model=model, max_tokens=number)
    assert (status, body["choices"][0]["message"]["content"]) == (200, "One two three.")
    (asked,) = standin.messages
    assert asked["max_tokens"] == number
    assert asked.get("thinking", {}).get("type") == ("disabled" if model == "claude-haiku-4-5" else "adaptive")


@pytest.mark.parametrize("stream", [False, True])
def test_refusal(server: Server, standin: StandIn, stream: bool) -> None:
    """What the model's safeguards stop is an honest end, with the text once.

    The CLI would ask the API once more; where the machine is busy that request may be on its way before it is ended.
    """
    standin.reply = lambda _: Reply((Text(["I can", "not."]),), stop_reason="refusal")
    _, _, body = server.chat("Hi", stream=stream)
    if stream:
        assert body[-1] == "[DONE]"
        assert text_of(body) == "I cannot."
        assert body[-2]["choices"][0]["finish_reason"] == "content_filter"
    else:
        (choice,) = body["choices"]
        assert (choice["finish_reason"], choice["message"]["refusal"]) == ("content_filter", "I cannot.")
    body = {"model": "sonnet", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
    message = json.loads(server.request("POST", "/v1/messages", body)[2])
    assert (message["stop_reason"], message["content"][0]["text"]) == ("refusal", "I cannot.")
    response = json.loads(server.request("POST", "/v1/responses", {"model": "sonnet", "input": "Hi"})[2])
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    until(server.is_whole, what="a whole server")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stop", ["END", ["END", "\n\n\n"]])
def test_stop(server: Server, standin: StandIn, stream: bool, stop: Any) -> None:
    """The API gets the sequence; nothing of it leaks, however the pieces cut it."""
    standin.reply = lambda _: Reply((Text(["one E", "N", "D two"]),))
    _, _, body = server.chat("Go", stream=stream, stop=stop)
    assert standin.messages[-1]["stop_sequences"] == ["END"]
    text = text_of(body) if stream else body["choices"][0]["message"]["content"]
    assert text == "one "
    reason = body[-2]["choices"][0]["finish_reason"] if stream else body["choices"][0]["finish_reason"]
    assert reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_white_space_stop(server: Server, standin: StandIn, stream: bool) -> None:
    """A stop sequence that the API refuses, such as a line break, is cut here."""
    standin.reply = lambda _: Reply((Text(["one", "\n", "two"]),))
    _, _, body = server.chat("Go", stream=stream, stop="\n")
    assert "stop_sequences" not in standin.messages[-1]
    assert (text_of(body) if stream else body["choices"][0]["message"]["content"]) == "one"


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning(server: Server, standin: StandIn, stream: bool) -> None:
    """The effort reaches the API, the thinking comes as reasoning_content, its tokens are counted; unasked, nothing."""
    standin.reply = lambda _: Reply((Thinking(["h", "m"], "c2ln"), Text(["Yes."])), thinking_tokens=4)
    _, _, body = server.chat("Hm?", stream=stream, reasoning_effort="high")
    sent = standin.messages[-1]
    assert "high" in json.dumps([sent.get("output_config"), *(m.get("output_config") for m in sent["messages"])])
    if stream:
        deltas = [chunk["choices"][0]["delta"] for chunk in body[:-1]]
        assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "hm"
        assert text_of(body) == "Yes."
    else:
        assert body["choices"][0]["message"]["reasoning_content"] == "hm"
        assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 4
    assert "reasoning_content" not in json.dumps(server.chat("Hm?", stream=stream)[2])


@pytest.mark.parametrize("stream", [False, True])
def test_three_choices(server: Server, standin: StandIn, stream: bool) -> None:
    """`n` asks for that many answers, each whole under its own index, their tokens summed."""
    standin.reply = lambda _: Reply((Text(["a", "b"]),), input_tokens=10, output_tokens=2)
    _, _, body = server.chat("Go", stream=stream, n=3)
    if stream:
        texts = dict.fromkeys(range(3), "")
        ends = []
        for chunk in body[:-1]:
            choice = chunk["choices"][0]
            texts[choice["index"]] += choice["delta"].get("content") or ""
            ends += [choice["index"]] if choice["finish_reason"] else []
        assert texts == {0: "ab", 1: "ab", 2: "ab"}
        assert sorted(ends) == [0, 1, 2]
        assert body[-2]["usage"]["completion_tokens"] == 6
        assert body.count("[DONE]") == 1
    else:
        assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
        assert [choice["message"]["content"] for choice in body["choices"]] == ["ab"] * 3
        assert body["usage"]["completion_tokens"] == 6
    assert server.get("/ready")[1]["slots"]["running"] == 0


def test_image_and_pdf(server: Server, standin: StandIn) -> None:
    """A PNG, a picture's address and a PDF reach the API as image and document blocks; audio is refused by name."""
    pixels = base64.b64encode(_png()).decode()
    pdf = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixels}"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{pdf}"}},
    ]
    assert server.chat("", messages=[{"role": "user", "content": content}])[0] == 200
    blocks = asked(standin)[-1]["content"]
    assert [block["type"] for block in blocks] == ["text", "image", "image", "document"]
    assert blocks[1]["source"] == {"type": "base64", "media_type": "image/png", "data": pixels}
    assert blocks[2]["source"] == {"type": "url", "url": "https://example.com/cat.png"}
    assert blocks[3]["source"]["data"] == pdf
    audio = [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]
    status, _, body = server.chat("", messages=[{"role": "user", "content": audio}])
    assert status == 400
    assert body["error"]["param"].startswith("messages[0].content[0]")


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (1).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    )
