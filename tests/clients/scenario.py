"""What every client goes through: one tool, one schema, the refusals, and what the API must have seen of them."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pydantic

from app.standin import Failure, Reply, StandIn, Text, ToolUse

MODEL = "claude-sonnet-4"
ANSWER = "One two three."
QUESTION = "Weather in Ulm and Rome?"
FORECAST = "Ulm is dry, Rome wet."
WEATHER = {"Ulm": "dry", "Rome": "wet"}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Current weather of a city", "parameters": PARAMETERS},
}


class Street(pydantic.BaseModel):
    """A street of a town."""

    name: str


class Address(pydantic.BaseModel):
    """An address; its schema has `$defs`."""

    street: Street
    number: int


ADDRESS = Address(street=Street(name="Größe"), number=7)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What the API answers, and the status, code and words that the client's exception must have."""

    failure: Failure
    status: int
    code: str
    words: tuple[str, ...]


def refusals() -> dict[str, Refusal]:
    """Return the refusals every client must report; the plan's limit lasts two more hours."""
    limit = Failure.plan_limit(int(time.time()) + 7200)
    too_long = Failure.prompt_too_long(210_000, 200_000)
    return {
        "logged out": Refusal(Failure.unauthorized(), 401, "claude_not_logged_in", ("`claude-max-api login`",)),
        "plan limit": Refusal(limit, 429, "rate_limit_exceeded", ("usage limit", "resets at")),
        "too long": Refusal(
            too_long, 400, "context_length_exceeded", ("prompt is too long", "maximum context length is ")
        ),
    }


def two_calls_then_text(body: dict[str, Any]) -> Reply:
    """Answer with some words and two calls, and with the forecast where there are results."""
    if _blocks(body["messages"], "tool_result"):
        return Reply((Text(["Ulm is dry, ", "Rome wet."]),))
    calls = (ToolUse("get_weather", {"city": city}) for city in WEATHER)
    return Reply((Text(["Let me look."]), *calls))


def structured(_: dict[str, Any]) -> Reply:
    """Answer with the address, and some prose that no client may see."""
    return Reply((Text(["Sure: "]), ToolUse("StructuredOutput", ADDRESS.model_dump())))


def assert_native_round(standin: StandIn) -> None:
    """Check that one tool round took two API requests, and that the second held calls and results as such."""
    assert len(standin.messages) == 2
    assert [[tool["name"] for tool in body["tools"]] for body in standin.messages] == [["get_weather"]] * 2
    assert standin.messages[0]["tools"][0]["input_schema"]["required"] == ["city"]
    turns = [turn for turn in standin.messages[-1]["messages"] if turn["role"] != "system"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    said, *calls = turns[1]["content"]
    assert said["text"] == "Let me look."
    assert [(call["type"], call["name"]) for call in calls] == [("tool_use", "get_weather")] * 2
    assert [call["input"] for call in calls] == [{"city": city} for city in WEATHER]
    results = turns[2]["content"]
    assert [result["type"] for result in results] == ["tool_result"] * 2
    assert [result["tool_use_id"] for result in results] == [call["id"] for call in calls]
    assert [_text(result["content"]) for result in results] == list(WEATHER.values())


def _blocks(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    contents = [message["content"] for message in messages if isinstance(message["content"], list)]
    return [block for content in contents for block in content if block["type"] == kind]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)
