"""What the CLI reports as failed becomes the error a client can act upon."""

from __future__ import annotations

import time

import pytest

from app.claude.turn import failure
from app.errors import (
    BadRequest,
    BodyTooLarge,
    CliFailed,
    ContextTooLong,
    Forbidden,
    NotFound,
    NotLoggedIn,
    Overloaded,
    PlanLimit,
    PlanRefused,
)
from claude import cli_lines as cli

TABLE = {
    "401": ({"api_error_status": 401}, None, NotLoggedIn, "claude_not_logged_in"),
    "403 that the CLI tags as a login": (
        {"api_error_status": 403},
        "authentication_failed",
        Forbidden,
        "claude_refused",
    ),
    "401 by tag": ({}, "authentication_failed", NotLoggedIn, "claude_not_logged_in"),
    "402": ({"api_error_status": 402}, None, PlanRefused, "plan_refused"),
    "403": ({"api_error_status": 403}, None, Forbidden, "claude_refused"),
    "404": ({"api_error_status": 404}, None, NotFound, "model_not_found"),
    "413": ({"api_error_status": 413}, None, BodyTooLarge, "request_too_large"),
    "429 without a plan's window": ({"api_error_status": 429}, None, PlanLimit, "rate_limit_exceeded"),
    "400": ({"api_error_status": 400}, "unknown", BadRequest, None),
    "418": ({"api_error_status": 418}, None, BadRequest, None),
    "500": ({"api_error_status": 500}, "server_error", Overloaded, "overloaded"),
    "529": ({"api_error_status": 529}, "overloaded", Overloaded, "overloaded"),
    "overloaded by tag": ({}, "overloaded", Overloaded, "overloaded"),
    "no reason": ({"subtype": "error_during_execution", "result": None}, None, CliFailed, "cli_error"),
}


def failed(fields):
    (result,) = cli.typed(cli.raw("result", **{"result": "It did not work.", "is_error": True, **fields}))
    return result


def error_of(text="It did not work.", limit=None, tag=None, **fields):
    (result,) = cli.typed(cli.failed(text, **fields))
    return failure.of_result(result, limit, tag)


def limit_of(status, **fields):
    (line,) = cli.typed(cli.rate_limit(status, **fields))
    return line.rate_limit_info


@pytest.mark.parametrize(("fields", "tag", "kind", "code"), TABLE.values(), ids=TABLE)
def test_table(fields, tag, kind, code):
    """Each status, or the tag where there is none, gives its own error."""
    error = failure.of_result(failed(fields), None, tag)
    assert (type(error), error.code) == (kind, code)


def test_another_model():
    """Another model may answer in the place of one that is overloaded or whose window is closed; of no other."""
    closed = limit_of("rejected", resetsAt=4102444800)
    found = {name: failure.of_result(failed(fields), None, tag).falls_back for name, (fields, tag, *_) in TABLE.items()}
    assert {name for name, falls_back in found.items() if falls_back} == {"529", "overloaded by tag"}
    assert error_of(limit=closed, api_error_status=429).falls_back


def test_plan_limit():
    """A used-up plan says "usage limit", when it ends, and that trying again at once is no use."""
    reset = int(time.time()) + 3600
    error = error_of("You've hit your 5-hour limit", limit_of("rejected", resetsAt=reset), api_error_status=429)
    assert isinstance(error, PlanLimit)
    assert "usage limit" in error.message
    assert "You've hit your 5-hour limit" in error.message
    assert 3598 <= error.retry_after <= 3600
    assert error.headers()["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("fields", "wait"),
    [({"resetsAt": 1000}, 1), ({"resetsAt": 1e300}, failure.RATE_PAUSE_SECONDS), ({}, failure.RATE_PAUSE_SECONDS)],
)
def test_limit_without_a_future_reset(fields, wait):
    """A reset that has passed, or none, still gives a whole number of seconds above 0."""
    error = error_of(limit=limit_of("rejected", **fields), api_error_status=429)
    assert (type(error), error.retry_after) == (PlanLimit, wait)
    assert ("usage limit" in error.message) is ("resetsAt" in fields)


@pytest.mark.parametrize("status", ["allowed", "allowed_warning"])
def test_a_warning_is_no_limit(status):
    """An error beside a mere warning keeps its own cause."""
    assert type(error_of(limit=limit_of(status, resetsAt=4102444800), api_error_status=529)) is Overloaded


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"api_error_status": 400, "result": "Prompt is too long"}, ContextTooLong),
        ({"api_error_status": 400}, BadRequest),
        ({"api_error_status": 401}, NotLoggedIn),
        ({"api_error_status": 529}, Overloaded),
        ({"api_error_status": 429}, PlanLimit),
    ],
)
def test_a_window_that_extra_usage_pays_for(fields, kind):
    """A used-up window that extra usage pays for hides no other failure."""
    limit = limit_of("rejected", resetsAt=4102444800, overageStatus="allowed", isUsingOverage=True)
    assert type(failure.of_result(failed(fields), limit, None)) is kind


@pytest.mark.parametrize(
    ("text", "usage", "maximum"),
    [
        ("Prompt is too long", {}, 200_000),
        ("Prompt is too long", {"claude-sonnet-5-5": {"contextWindow": 1_000_000}}, 1_000_000),
        ("prompt is too long: 250001 tokens > 180000 maximum", {"m": {"contextWindow": 7}}, 180_000),
    ],
)
def test_context_too_long(text, usage, maximum):
    """An over-long prompt has both phrases that clients look for, and the limit from the best source there is."""
    error = error_of(text, modelUsage=usage, api_error_status=400)
    assert isinstance(error, ContextTooLong)
    assert (error.status, error.code, error.param) == (400, "context_length_exceeded", "messages")
    assert "prompt is too long" in error.message
    assert f"maximum context length is {maximum} tokens" in error.message


def test_extra_usage():
    """Where the plan does not cover this use, the API's own words reach the client."""
    words = "Third-party apps now draw from your extra usage, not your plan limits."
    error = error_of(words, api_error_status=400)
    assert (type(error), error.message, error.status) == (PlanRefused, words, 402)


def test_errors_before_result():
    """The list of errors says more than the result's text."""
    assert error_of("less", errors=["first", "second"], api_error_status=400).message == "first; second"


def test_login_sentence():
    """Whoever reads it knows what to do."""
    assert "claude-max-api login" in error_of("Please run /login").message


def test_unknown_failure_stays_in_the_log():
    """The text of a failure nobody foresaw is noted for the log, in one line, and is not for the client."""
    error = error_of("secret /home/me\nINFO forged line")
    assert "secret" not in error.message
    (note,) = error.__notes__
    assert "secret" in note
    assert "\n" not in note


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ("authentication_failed", 401, NotLoggedIn),
        ("unknown", 401, NotLoggedIn),
        ("overloaded", 529, None),
        ("server_error", 500, None),
        (None, None, None),
    ],
)
def test_retry(error, status, kind):
    """Only a refused login is certain before the CLI has given up."""
    (line,) = cli.typed(cli.api_retry(error, status))
    found = failure.of_retry(line)
    assert (None if found is None else type(found)) is kind
