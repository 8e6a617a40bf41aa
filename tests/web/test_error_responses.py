"""Every failure is JSON with all four keys, with its status, its retry headers and no more than the client may know."""

from __future__ import annotations

import json

import flask
import pytest
import werkzeug.exceptions

from app.errors import PlanLimit, ProxyError, QueueFull
from app.records.record import RequestRecord
from app.web import error_responses

KEYS = {"message", "type", "param", "code"}


@pytest.fixture
def response_of():
    """Give a function that returns the response of a route that raises an error."""

    def respond(error, method="GET", path="/x"):
        app = flask.Flask("errors")
        error_responses.init_app(app)

        @app.before_request
        def begin():
            flask.g.record = RequestRecord("/x")

        def fail():
            raise error

        app.add_url_rule("/x", view_func=fail)
        return app.test_client().open(path, method=method)

    return respond


def checked(response, status, kind, code):
    """Return the message of an error response after checking the rest."""
    assert response.mimetype == "application/json"
    assert response.status_code == status
    error = json.loads(response.data)["error"]
    assert set(error) == KEYS
    assert (error["type"], error["code"]) == (kind, code)
    return error["message"]


def subclasses(cls):
    return [cls, *(deeper for sub in cls.__subclasses__() for deeper in subclasses(sub))]


@pytest.mark.parametrize("kind", subclasses(ProxyError))
def test_own_errors(response_of, kind):
    """Each of the project's errors keeps its status, type and code, and says whether to try again."""
    response = response_of(kind("Why."))
    assert checked(response, kind.status, kind.type, kind.code) == "Why."
    assert response.headers["x-should-retry"] == ("true" if kind.should_retry else "false")
    assert "Retry-After" not in response.headers


def test_retry_after(response_of):
    """The seconds to wait are in their header."""
    assert response_of(PlanLimit("usage limit", retry_after=77)).headers["Retry-After"] == "77"
    assert response_of(QueueFull("full", retry_after=5)).headers["x-should-retry"] == "true"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (werkzeug.exceptions.RequestEntityTooLarge(), 413, "request_too_large"),
        (werkzeug.exceptions.UnsupportedMediaType(), 415, "unsupported_media_type"),
        (werkzeug.exceptions.BadRequest("odd"), 400, None),
        (werkzeug.exceptions.ImATeapot(), 418, None),
        (werkzeug.exceptions.RequestTimeout(), 408, None),
    ],
)
def test_http_errors(response_of, error, status, code):
    """Werkzeug's own errors have the same shape."""
    assert checked(response_of(error), status, "invalid_request_error", code)


def test_no_route(response_of):
    """An unknown path is a 404 that tells where the API is."""
    assert "/v1" in checked(response_of(None, path="/y"), 404, "invalid_request_error", "not_found")


def test_method(response_of):
    """A wrong method is a 405 that tells the right ones."""
    response = response_of(None, method="DELETE")
    checked(response, 405, "invalid_request_error", "method_not_allowed")
    assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize("error", [KeyError("secret"), werkzeug.exceptions.InternalServerError("secret")])
def test_unforeseen(response_of, error, caplog):
    """What nobody foresaw is a 500 whose text stays in the log."""
    message = checked(response_of(error), 500, "server_error", None)
    assert "secret" not in message
    assert "request failed" in caplog.text
