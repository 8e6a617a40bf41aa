"""Calls and their results."""

from __future__ import annotations

import pytest

from .bodies import USER, assistant, request, result, text, use, user
from .verdicts import assert_accepted, assert_refused

ACCEPTED = {
    "an answered call": request(USER, assistant(text("Wait."), use()), user(result(), text("So?"))),
    "parallel calls in any order": request(
        USER, assistant(use("a"), use("b")), user(result("b"), result("a", is_error=True))
    ),
}

REFUSED = {
    "a call without an answer": (
        request(USER, assistant(use()), USER),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1.",
    ),
    "one answer of two": (request(USER, assistant(use("a"), use("b")), user(result("a"))), "immediately after: b."),
    "an answer after text": (
        request(USER, assistant(use()), user(text("So:"), result())),
        "immediately after: toolu_1.",
    ),
    "an answer too late": (request(USER, assistant(use()), USER, user(result())), "immediately after: toolu_1."),
    "a call at the end": (request(USER, assistant(use())), "immediately after: toolu_1."),
    "an answer to nothing": (
        request(user(result())),
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1.",
    ),
    "an answer to an older call": (
        request(USER, assistant(use()), user(result()), assistant(text("ok")), user(result())),
        "messages.4.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1.",
    ),
    "two answers to a call": (
        request(USER, assistant(use()), user(result(), result())),
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks",
    ),
    "two calls of one id": (
        request(USER, assistant(use(), use()), user(result())),
        "messages.1.content.1: `tool_use` ids must be unique",
    ),
    "one id in two turns": (
        request(USER, assistant(use()), user(result()), assistant(use()), user(result())),
        "messages.3.content.0: `tool_use` ids must be unique",
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
