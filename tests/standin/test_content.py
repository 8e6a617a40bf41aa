"""Content blocks of every kind."""

from __future__ import annotations

import pytest

from .bodies import CACHE, USER, assistant, image, request, result, text, thought, use, user
from .verdicts import assert_accepted, assert_refused

ACCEPTED = {
    "a result with blocks": request(USER, assistant(use()), user(result(content=[text("x"), image()], **CACHE))),
    "a result without content": request(
        USER, assistant(use()), user({"type": "tool_result", "tool_use_id": "toolu_1"})
    ),
    "thinking first": request(USER, assistant(thought(), text("a")), USER),
    "hidden thinking": request(
        USER, assistant({"type": "redacted_thinking", "data": "x"}, thought(), use()), user(result())
    ),
}

REFUSED = {
    "an empty block": (request(user(text(""))), "messages: text content blocks must be non-empty"),
    "a white block": (request(user(text("\t"))), "messages: text content blocks must contain non-whitespace text"),
    "an empty block in a result": (
        request(USER, assistant(use()), user(result(content=[text("")]))),
        "must be non-empty",
    ),
    "text that is none": (request(user(text(3))), "messages.0.content.0.text.text: Input should be a valid string"),
    "a block without a type": (request(user({"text": "x"})), "messages.0.content.0.type: Field required"),
    "an unknown block": (
        request(user({"type": "audio"})),
        "messages.0.content.0: Input tag 'audio' found using 'type'",
    ),
    "a block with more": (
        request(user(text("x", id=1))),
        "messages.0.content.0.text.id: Extra inputs are not permitted",
    ),
    "a call by the user": (request(user(use())), "messages.0.content.0: `tool_use` blocks are not permitted in `user`"),
    "a result by the assistant": (
        request(USER, assistant(result())),
        "messages.1.content.0: `tool_result` blocks are not",
    ),
    "an image by the assistant": (
        request(USER, assistant(image()), USER),
        "messages.1.content.0: `image` blocks are not",
    ),
    "a call in a result": (
        request(USER, assistant(use()), user(result(content=[use()]))),
        "not permitted in `tool_result`",
    ),
    "an id with a dot": (
        request(USER, assistant(use("a.b")), user(result("a.b"))),
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    "an id with a newline": (request(USER, assistant(use("a\n")), user(result("a\n"))), "String should match pattern"),
    "a name with a space": (
        request(USER, assistant(use(name="a b")), user(result())),
        "tool_use.name: String should match",
    ),
    "an input that is no object": (
        request(USER, assistant(use(value=[])), user(result())),
        "messages.1.content.0.tool_use.input: Input should be a valid dictionary",
    ),
    "an error flag in words": (
        request(USER, assistant(use()), user(result(is_error="no"))),
        "is_error: Input should be a valid",
    ),
    "thinking by the user": (request(user(thought(), text("x"))), "`thinking` blocks are not permitted in `user`"),
    "thinking without a signature": (
        request(USER, assistant({"type": "thinking", "thinking": "hm"}, text("x")), USER),
        "messages.1.content.0.thinking.signature: Field required",
    ),
    "thinking with an empty signature": (request(USER, assistant(thought(""), text("x")), USER), "Invalid `signature`"),
    "thinking after text": (request(USER, assistant(text("x"), thought()), USER), "must come before the other blocks"),
    "thinking alone": (request(USER, assistant(thought()), USER), "The final block in an assistant message cannot be"),
    "a breakpoint on thinking": (
        request(USER, assistant({**thought(), **CACHE}, text("x")), USER),
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    "an unknown breakpoint": (
        request(user(text("x", cache_control={"type": "always"}))),
        "cache_control: Input tag 'always'",
    ),
    "a breakpoint for a day": (
        request(user(text("x", cache_control={"type": "ephemeral", "ttl": "24h"}))),
        "ttl: Input should be '5m' or '1h'",
    ),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(body):
    """A request the API takes passes, and is not changed by being looked at."""
    assert_accepted(body)


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(body, message):
    """A request the API refuses is refused with 400 and in its words."""
    assert_refused(body, message)
