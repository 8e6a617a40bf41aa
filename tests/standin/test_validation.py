"""Requests as a whole: their fields, roles and limits."""

from __future__ import annotations

import pytest

from app.standin import validation
from app.standin.validation import Refusal

from .bodies import CACHE, EFFORT_BETA, USER, assistant, image, request, result, text, tool, use, user, without
from .verdicts import assert_accepted, assert_refused

ACCEPTED = {
    "the least": request(),
    "an assistant's turn between": request(USER, {"role": "assistant", "content": "Hello"}, USER),
    "two questions in a row": request(USER, USER),
    "system as text": request(system="Be kind."),
    "system as blocks": request(system=[text("Be kind."), text("Be brief.", **CACHE)]),
    "four breakpoints": request(
        user(text("a", **CACHE)), system=[text("b", **CACHE)], tools=[tool(**CACHE), tool("x", **CACHE)]
    ),
    "stop sequences": request(stop_sequences=["STOP", "\n\nHuman:"]),
    "sampling": request(temperature=0, top_p=0.5, top_k=4),
    "thinking with temperature 1": request(thinking={"type": "adaptive", "display": "updates"}, temperature=1),
    "thinking with a budget": request(thinking={"type": "enabled", "budget_tokens": 1024}),
    "no thinking": request(thinking={"type": "disabled"}, temperature=0.2),
    "what else the CLI sends": request(
        metadata={"user_id": "x"}, context_management={"edits": []}, output_config={"effort": "high"}, stream=True
    ),
    "a long model's long prompt": request({"role": "user", "content": "word " * 200_000}),
    "a short model by its suffix": request(
        {"role": "user", "content": "word " * 200_000}, model="claude-sonnet-4-5[1m]"
    ),
}

REFUSED = {
    "an unknown key": (request(foo=1), "foo: Extra inputs are not permitted"),
    "no model": (without("model"), "model: Field required"),
    "a model that is no text": (request(model=3), "model: Input should be a valid string"),
    "no max_tokens": (without("max_tokens"), "max_tokens: Field required"),
    "max_tokens 0": (request(max_tokens=0), "max_tokens: Input should be greater than or equal to 1"),
    "max_tokens in words": (request(max_tokens="10"), "max_tokens: Input should be a valid integer"),
    "max_tokens true": (request(max_tokens=True), "max_tokens: Input should be a valid integer"),
    "too large an answer": (
        request(max_tokens=128_001),
        "max_tokens: 128001 > 128000, which is the maximum allowed number of output tokens for this model",
    ),
    "too large an answer of an old model": (
        request(model="claude-opus-4-1-20250805", max_tokens=32_001),
        "32001 > 32000",
    ),
    "no messages": (without("messages"), "messages: Field required"),
    "empty messages": (request() | {"messages": []}, "messages: at least one message is required"),
    "messages that are no list": (request() | {"messages": {}}, "messages: Input should be a valid list"),
    "a message that is no object": (request("Hi"), "messages.0: Input should be a valid dictionary"),
    "a message with more": (request({**USER, "name": "x"}), "messages.0.name: Extra inputs are not permitted"),
    "a message without content": (request({"role": "user"}), "messages.0.content: Field required"),
    "an unknown role": (request({**USER, "role": "tool"}), "messages.0.role: Input should be 'user' or 'assistant'"),
    "an assistant first": (
        request({"role": "assistant", "content": "Hi"}, USER),
        'messages: first message must use the "user" role',
    ),
    "an assistant last": (
        request(USER, {"role": "assistant", "content": "I"}),
        "This model does not support assistant message prefill. The conversation must end with a user message.",
    ),
    "null content": (request({"role": "user", "content": None}), "messages.0.content: Input should be a valid list"),
    "empty text": (request({"role": "user", "content": ""}), "messages.0: all messages must have non-empty content"),
    "white text": (
        request({"role": "user", "content": " \n"}),
        "messages: text content blocks must contain non-whitespace text",
    ),
    "no blocks": (request(user()), "messages.0: all messages must have non-empty content"),
    "an empty answer between": (
        request(USER, assistant(), USER),
        "messages.1: all messages must have non-empty content",
    ),
    "an empty system block": (request(system=[text("")]), "system: text content blocks must be non-empty"),
    "a white system block": (
        request(system=[text(" ")]),
        "system: text content blocks must contain non-whitespace text",
    ),
    "an image in the system prompt": (request(system=[image()]), "system.0: Input tag 'image' found"),
    "a system prompt that is none": (request(system=3), "system: Input should be a valid list"),
    "five breakpoints": (
        request(
            USER,
            assistant(use()),
            user(result(content=[text("a", **CACHE)], **CACHE)),
            system=[text("b", **CACHE)],
            tools=[tool(**CACHE), tool("x", **CACHE)],
        ),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "a white stop sequence": (request(stop_sequences=["a", "\n"]), "each stop sequence must contain non-whitespace"),
    "an empty stop sequence": (request(stop_sequences=[""]), "each stop sequence must contain non-whitespace"),
    "a stop sequence that is no list": (request(stop_sequences="a"), "stop_sequences: Input should be a valid list"),
    "temperature above one": (request(temperature=1.5), "temperature: range: 0..1"),
    "temperature in words": (request(temperature="hot"), "temperature: Input should be a valid number"),
    "temperature while thinking": (
        request(temperature=0.5, thinking={"type": "enabled", "budget_tokens": 1024}),
        "`temperature` may only be set to 1 when thinking is enabled.",
    ),
    "temperature 0 while thinking": (request(temperature=0, thinking={"type": "adaptive"}), "may only be set to 1"),
    "a small budget": (
        request(thinking={"type": "enabled", "budget_tokens": 1023}),
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "a budget as large as the answer": (
        request(thinking={"type": "enabled", "budget_tokens": 4000}),
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ),
    "no budget": (request(thinking={"type": "enabled"}), "thinking.enabled.budget_tokens: Field required"),
    "a budget for adaptive": (
        request(thinking={"type": "adaptive", "budget_tokens": 2000}),
        "thinking.adaptive.budget_tokens: Ext",
    ),
    "unknown thinking": (request(thinking={"type": "auto"}), "thinking: Input tag 'auto' found using 'type'"),
    "unknown display": (
        request(thinking={"type": "adaptive", "display": "all"}),
        "thinking.adaptive.display: Input should be",
    ),
    "a stream in words": (request(stream="yes"), "stream: Input should be a valid boolean"),
    "an object that is none": ([], "The request body is not valid JSON"),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(body):
    """A request the API takes passes, and is not changed by being looked at."""
    assert_accepted(body)


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(body, message):
    """A request the API refuses is refused with 400 and in its words."""
    assert_refused(body, message)


def test_unknown_model():
    """A name outside the family is not found rather than invalid."""
    with pytest.raises(Refusal) as caught:
        validation.check(request(model="gpt-5"), 100)
    assert (caught.value.status, caught.value.type, caught.value.message) == (404, "not_found_error", "model: gpt-5")


def test_size():
    """32 MB pass; one byte more is too large, whatever the body is."""
    validation.check(request(), 32 * 1024 * 1024)
    with pytest.raises(Refusal) as caught:
        validation.check(None, 32 * 1024 * 1024 + 1)
    assert (caught.value.status, caught.value.type) == (413, "request_too_large")


def test_notes_of_the_system():
    """Later models take a system message after a user's, and nowhere else."""
    note = {"role": "system", "content": [text("# Environment")]}
    validation.check(request(USER, note), 100)
    validation.check(request(USER, note, assistant(text("a")), USER), 100)
    for messages in ([note, USER], [USER, assistant(text("a")), note], [USER, assistant(text("a")), note, USER]):
        with pytest.raises(Refusal):
            validation.check(request(*messages), 100)


def test_a_note_with_an_effort_needs_its_beta():
    """Only with its beta may a system message, and only that, have an effort of its own."""
    note = {"role": "system", "content": "# Environment", "output_config": {"effort": "low"}}
    validation.check(request(USER, note), 100, EFFORT_BETA)
    for messages, betas in (([USER, note], []), ([{**USER, "output_config": {}}], EFFORT_BETA)):
        with pytest.raises(Refusal, match="output_config: Extra inputs"):
            validation.check(request(*messages), 100, betas)


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"])
def test_earlier_models_take_no_notes(model):
    """To a model before them a system message is an unexpected role."""
    with pytest.raises(Refusal, match='Unexpected role "system"'):
        validation.check(request(USER, {"role": "system", "content": "x"}, model=model), 100)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "sk"}, {"authorization": "Bearer "}, {"authorization": ""}, {"x-api-key": ""}]
)
def test_unauthenticated(headers):
    """No token and no key is 401."""
    with pytest.raises(Refusal) as caught:
        validation.authenticated(headers)
    assert (caught.value.status, caught.value.type) == (401, "authentication_error")


@pytest.mark.parametrize(
    "headers", [{"authorization": "Bearer sk"}, {"authorization": "bearer sk"}, {"x-api-key": "k"}]
)
def test_authenticated(headers):
    """A bearer token or an API key will do, whatever it says."""
    validation.authenticated(headers)


def test_safeguards():
    """What 2.1.300 tells a classifier takes a beta of its own."""
    body = request(USER, safeguards=[{"type": "dangerous_tool_use"}])
    validation.check(body, 100, ["dangerous-tool-use-2026-09-03"])
    with pytest.raises(Refusal, match="safeguards: Extra inputs"):
        validation.check(body, 100)
