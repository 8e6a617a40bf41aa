"""Errors in the API's envelope."""

from __future__ import annotations

import json

import pytest

from app.standin import Failure


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure.unauthorized(), (401, "authentication_error")),
        (Failure.forbidden(), (403, "permission_error")),
        (Failure.not_found("model: claude-x"), (404, "not_found_error")),
        (Failure.server_error(), (500, "api_error")),
        (Failure.overloaded(), (529, "overloaded_error")),
        (Failure.plan_limit(1_900_000_000), (429, "rate_limit_error")),
        (Failure.prompt_too_long(200_001, 200_000), (400, "invalid_request_error")),
    ],
)
def test_failures_come_in_the_envelope(post, body, standin, failure, expected):
    """A failure has its status, its headers and the API's error envelope, streamed or not, and is no refusal."""
    standin.reply = lambda _: failure
    for body["stream"] in (True, False):
        response = post(body)
        error = json.loads(response.read())
        assert (response.status, error["error"]["type"]) == expected
        assert error == {
            "type": "error",
            "error": {"type": failure.type, "message": failure.message},
            "request_id": response.headers["request-id"],
        }
        assert all(response.headers[name] == value for name, value in failure.headers.items())
    assert standin.rejected == []
    assert len(standin.messages) == 2
