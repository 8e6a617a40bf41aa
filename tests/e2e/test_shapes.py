"""Every answer has the shape of the real one: no key of our own, none of theirs missing, null only where they send it.

The exceptions are named here, each with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import real_answers as real
from server import Server, events

from app.standin import Reply, StandIn, Text, Thinking, ToolUse

# Ours alone: what a client can use and the real API does not tell, or not on every route.
ADDED = {
    "description": "of a model: as OpenRouter has it",
    "reasoning_content": "thinking in chat, as DeepSeek began it and clients read it",
    "cache_write_tokens": "of the types of OpenAI's SDK, in no recording",
    "code": "a code on Anthropic's routes as well",
    "details": "where that code is",
    "error_code": "the code itself",
    "name": "of a function whose arguments are done: of the types of OpenAI's SDK; of a model: as OpenRouter has it",
    "context_length": "of a model: as OpenRouter has it",
    "max_completion_tokens": "the same",
    "top_provider": "the same",
    "max_model_len": "of a model: as vLLM has it",
}
# Theirs alone.
LEFT_OUT = {
    "service_tier": "no tier was asked for, and the plan's is not known",
    "system_fingerprint": "no such thing here, and optional in the types",
    "obfuscation": "padding, optional",
    "audio_tokens": "no sound here, optional",
    "accepted_prediction_tokens": "no predictions here, optional",
    "rejected_prediction_tokens": "the same",
    "phase": "not known of an answer, optional",
    "frequency_penalty": "not kept, optional in the types",
    "presence_penalty": "the same",
    "max_tool_calls": "the same",
    "moderation": "the same",
    "prompt_cache_retention": "the same",
    "safety_identifier": "the same",
    "top_logprobs": "the same",
    "user": "the same",
    "refusal": "in a chunk: optional in the types",
    "usage": "in a chunk, where nobody asked for it",
    "description": "of a tool that was offered without one",
}
TOOL = {"name": "look", "description": "Look", "parameters": {"type": "object", "properties": {}}}
CALL = "Call."
THINK = "Think."


def departures(ours: Any, theirs: list[Any], path: str = "") -> list[str]:
    """Return in words where `ours` has a shape that none of `theirs` has; lists are compared item by item."""
    kinds = {_kind(sample) for sample in theirs}
    if _kind(ours) not in kinds:
        return [f"{path}: {_kind(ours)} instead of {sorted(kinds)}"]
    if isinstance(ours, list):
        items = [item for sample in theirs if isinstance(sample, list) for item in sample]
        return [told for item in ours for told in departures(item, _alike(item, items), f"{path}[]")]
    if not isinstance(ours, dict) or path.endswith((".metadata", ".input", ".parameters")):
        return []
    samples = [sample for sample in theirs if isinstance(sample, dict)]
    always = set.intersection(*map(set, samples))
    missing = always - set(ours) - set(LEFT_OUT)
    told = [f"{path}.{key}: missing" for key in sorted(missing)]
    for key, value in ours.items():
        values = [sample[key] for sample in samples if key in sample]
        if values:
            told += departures(value, values, f"{path}.{key}")
        elif key not in ADDED or value is None:
            told.append(f"{path}.{key}: not theirs")
    return told


def _kind(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def _alike(item: Any, samples: list[Any]) -> list[Any]:
    """Return the samples of an item's type, all where items have none."""
    if not isinstance(item, dict) or "type" not in item:
        return samples
    return [sample for sample in samples if sample.get("type") == item["type"]]


def answer(body: dict[str, Any]) -> Reply:
    """Think, talk and call, as the question wants it."""
    question = json.dumps(body["messages"])
    thought = (Thinking(["Hm, ", "so."], signature="c2lnMQ=="),) if THINK in question else ()
    return Reply(
        (*thought, Text(["One ", "two."]), *((ToolUse("look", {}),) if CALL in question and body.get("tools") else ()))
    )


def chat(text: str) -> tuple[str, dict[str, Any]]:
    body = {"messages": [{"role": "user", "content": text}], "tools": [{"type": "function", "function": TOOL}]}
    return "/v1/chat/completions", body | ({"reasoning_effort": "low"} if THINK in text else {})


def completion(text: str) -> tuple[str, dict[str, Any]]:
    return "/v1/completions", {"prompt": text}


def response(text: str) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"input": text, "tools": [{"type": "function", **TOOL}]}
    return "/v1/responses", body | ({"reasoning": {"summary": "auto"}} if THINK in text else {})


def message(text: str) -> tuple[str, dict[str, Any]]:
    tool = {"name": "look", "input_schema": TOOL["parameters"]}
    body = {"messages": [{"role": "user", "content": text}], "tools": [tool], "max_tokens": 100}
    return "/v1/messages", body | ({"thinking": {"type": "adaptive"}} if THINK in text else {})


Ask = Callable[[str], tuple[str, dict[str, Any]]]
DIALECTS: list[tuple[Ask, list[Any], list[Any]]] = [
    (chat, real.CHAT, real.CHAT_CHUNKS),
    (completion, real.COMPLETION, real.COMPLETION),
    (response, real.RESPONSE, real.RESPONSE_EVENTS),
    (message, real.MESSAGE, real.MESSAGE_EVENTS),
]


@pytest.mark.parametrize("text", ["Hi.", THINK, CALL, THINK + CALL])
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect[0].__name__)
def test_answer(
    server: Server, standin: StandIn, dialect: tuple[Ask, list[Any], list[Any]], text: str, *, stream: bool
) -> None:
    """An answer, and each event of one that is streamed, is shaped like the real one."""
    standin.reply = answer
    ask, whole, streamed = dialect
    path, body = ask(text)
    status, _, data = server.request("POST", path, {"model": "sonnet", "stream": stream, **body})
    assert status == 200, data
    found = [event for event in events(data) if event != "[DONE]"] if stream else [json.loads(data)]
    theirs = streamed if stream else whole
    assert [told for one in found for told in departures(one, _alike(one, theirs))] == []


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions", "/v1/x"])
def test_error(fake_server: Server, route: str) -> None:
    """An error is shaped like the real one."""
    theirs = real.ANTHROPIC_ERROR if route == "/v1/messages" else real.OPENAI_ERROR
    data = fake_server.request("POST", route, {"model": "sonnet"})[2]
    assert departures(json.loads(data), theirs) == []


@pytest.mark.parametrize(
    ("headers", "theirs"),
    [({}, real.OPENAI_MODELS), ({"anthropic-version": "2023-06-01"}, real.ANTHROPIC_MODELS)],
    ids=["openai", "anthropic"],
)
def test_models(server: Server, headers: dict[str, str], theirs: list[Any]) -> None:
    """The list of models is shaped like the real one."""
    assert server.chat("Hi")[0] == 200
    data = server.request("GET", "/v1/models", headers=headers)[2]
    assert departures(json.loads(data), theirs) == []
