"""openai-python's Responses API: whole and streamed, typed answers, tool loops, responses that are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from server import Server
from talk import told

from app.standin import Reply, StandIn, Text, Thinking

from .scenario import ADDRESS, ANSWER, FORECAST, MODEL, PARAMETERS, QUESTION, Address, Refusal

TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Current weather of a city",
    "parameters": PARAMETERS,
    "strict": True,
}
CLASSES = {401: openai.AuthenticationError, 429: openai.RateLimitError, 400: openai.BadRequestError}


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    """A client as anybody makes it: two retries."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="not-needed") as client:
        assert client.max_retries == 2
        yield client


def streamed(client: openai.OpenAI, **fields: Any) -> tuple[list[Any], Response]:
    """Return the events and the final response of the stream helper."""
    with client.responses.stream(model=MODEL, **fields) as stream:
        events = list(stream)
        return events, stream.get_final_response()


def test_create(client: openai.OpenAI, standin: StandIn) -> None:
    """A question gets its answer, under the instructions."""
    response = client.responses.create(model=MODEL, instructions="Be kind.", input="Hi")
    assert response.output_text == ANSWER
    assert (response.status, response.usage.total_tokens > 0) == ("completed", True)
    assert "Be kind." in json.dumps(standin.messages[-1]["system"])


def test_stream(client: openai.OpenAI) -> None:
    """The raw stream and the helper tell of each piece, and have the response at the end."""
    events, response = streamed(client, input="Hi")
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == ["One ", "two ", "three."]
    assert response.output_text == ANSWER
    raw = client.responses.create(model=MODEL, input="Hi", stream=True)
    assert [event.type for event in raw][:2] == ["response.created", "response.in_progress"]


def test_reasoning(client: openai.OpenAI, standin: StandIn, *, stream: bool) -> None:
    """A summary of the reasoning comes where it was asked for."""
    standin.reply = lambda _: Reply((Thinking(["Hm, ", "so."]), Text(["Yes."])))
    fields: dict[str, Any] = {"input": "Hi", "reasoning": {"effort": "low", "summary": "auto"}}
    response = streamed(client, **fields)[1] if stream else client.responses.create(model=MODEL, **fields)
    reasoning, message = response.output
    assert [part.text for part in reasoning.summary] == ["Hm, so."]
    assert message.content[0].text == "Yes."


def outputs(response: Response, weather: Callable[[str], str]) -> list[Any]:
    """Return the results of a response's calls."""
    calls = [item for item in response.output if item.type == "function_call"]
    return [
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": weather(json.loads(call.arguments)["city"]),
        }
        for call in calls
    ]


def test_tool_loop(client: openai.OpenAI, tool_round: Callable[[str], str], *, stream: bool) -> None:
    """Two calls come to the client; with previous_response_id their outputs alone lead to the answer."""
    if stream:
        events, first = streamed(client, input=QUESTION, tools=[TOOL])
        done = [event for event in events if event.type == "response.function_call_arguments.done"]
        assert [json.loads(event.arguments)["city"] for event in done] == ["Ulm", "Rome"]
    else:
        first = client.responses.create(model=MODEL, input=QUESTION, tools=[TOOL])
    raw = client.responses.with_raw_response.create(
        model=MODEL, previous_response_id=first.id, input=outputs(first, tool_round), tools=[TOOL]
    )
    assert raw.headers["x-proxy-served"] == "parked"
    assert raw.parse().output_text == FORECAST
    assert raw.parse().previous_response_id == first.id


def test_tool_loop_by_hand(client: openai.OpenAI, tool_round: Callable[[str], str]) -> None:
    """A client that keeps nothing here hands the whole input back, the items of the output among it."""
    asked: list[Any] = [{"role": "user", "content": QUESTION}]
    first = client.responses.create(model=MODEL, input=asked, tools=[TOOL], store=False)
    asked += [item.to_dict() for item in first.output]
    final = client.responses.create(model=MODEL, input=[*asked, *outputs(first, tool_round)], tools=[TOOL], store=False)
    assert final.output_text == FORECAST


def test_parse(client: openai.OpenAI, structured: None) -> None:
    """`.parse` gives the object of a pydantic class."""
    assert client.responses.parse(model=MODEL, input="Where?", text_format=Address).output_parsed == ADDRESS


def test_parse_streamed(client: openai.OpenAI, structured: None) -> None:
    """`.stream` with a pydantic class has the object at the end."""
    assert streamed(client, input="Where?", text_format=Address)[1].output_parsed == ADDRESS


def test_branches(client: openai.OpenAI, standin: StandIn) -> None:
    """Several may go on from the same response, each from exactly there, and from what came out of it."""
    first = client.responses.create(model=MODEL, input=[{"role": "developer", "content": "D"}, user("A")])
    left = client.responses.create(model=MODEL, input="B", previous_response_id=first.id, instructions="I")
    right = client.responses.create(model=MODEL, input="C", previous_response_id=first.id)
    assert told(standin.messages[-1]) == [("user", "A"), ("assistant", ANSWER), ("user", "C")]
    client.responses.create(model=MODEL, input="D", previous_response_id=left.id)
    assert [text for _, text in told(standin.messages[-1])] == ["A", ANSWER, "B", ANSWER, "D"]
    system = json.dumps(standin.messages[-1]["system"])
    assert '"text": "D"' in system
    assert '"I' not in system
    assert len({first.id, left.id, right.id}) == 3


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def test_kept(client: openai.OpenAI, server: Server, *, stream: bool) -> None:
    """A response can be had again until it is deleted, and is no session."""
    response = streamed(client, input="Hi")[1] if stream else client.responses.create(model=MODEL, input="Hi")
    again = client.responses.retrieve(response.id)
    assert (again.id, again.output_text, again.status) == (response.id, ANSWER, "completed")
    assert response.id not in json.dumps(server.get("/v1/sessions")[1])
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input="Hi", previous_response_id=response.id)
    assert raised.value.code == "previous_response_not_found"


def test_not_kept(client: openai.OpenAI) -> None:
    """With store=False nothing is kept."""
    response = client.responses.create(model=MODEL, input="Hi", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_conversation(client: openai.OpenAI) -> None:
    """Conversations are refused, with what to do instead."""
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        client.responses.create(model=MODEL, input="Hi", conversation="conv_1")


def test_max_output_tokens(client: openai.OpenAI) -> None:
    """An answer that is cut says why."""
    response = client.responses.create(model=MODEL, input="Hi", max_output_tokens=2)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_refusal(client: openai.OpenAI, refused: Refusal, *, stream: bool) -> None:
    """A refusal is the exception of its status, with code and words, and is not tried again."""
    with pytest.raises(CLASSES[refused.status]) as raised:
        client.responses.create(model=MODEL, input="Hi", stream=stream)
    assert (raised.value.status_code, raised.value.code) == (refused.status, refused.code)
    assert all(words in raised.value.message for words in refused.words), raised.value.message


def test_broken_off(client: openai.OpenAI, standin: StandIn) -> None:
    """An answer that breaks off after a part of it was sent is a response that failed, and none that is whole."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."], pause=0.15),), cut_after=2)
    events = list(client.responses.create(model=MODEL, input="Hi", stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.code == "server_error"
    assert "response.completed" not in {event.type for event in events}


def test_wrong_endpoint(client: openai.OpenAI) -> None:
    """Responses name the endpoint that was meant; chat completions answer an `input`, since Cursor sends it there."""
    answer = client.post("/chat/completions", body={"model": MODEL, "input": "Hi"}, cast_to=dict[str, Any])
    assert answer["object"] == "chat.completion"
    with pytest.raises(openai.BadRequestError, match="/v1/chat/completions"):
        client.post("/responses", body={"model": MODEL, "messages": [user("Hi")]}, cast_to=object)


def test_other_keys(serve: Callable[..., Server]) -> None:
    """A response is its key's alone."""
    secrets = {name: f"{name}-" + "s" * 30 for name in ("laptop", "phone")}
    server = serve(CLAUDE_PROXY_API_KEYS=",".join(f"{name}:{secret}" for name, secret in secrets.items()))
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=secrets["laptop"]) as mine,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=secrets["phone"]) as other,
    ):
        response = mine.responses.create(model=MODEL, input="Hi")
        assert mine.responses.retrieve(response.id).id == response.id
        with pytest.raises(openai.NotFoundError):
            other.responses.retrieve(response.id)
