"""Every failure leaves as JSON, in the words of the dialect that is spoken; to people at a browser as a page."""

from __future__ import annotations

import functools
import logging
from http import HTTPStatus

import flask
import msgspec
import werkzeug.exceptions

from app.errors import (
    BadRequest,
    BodyTooLarge,
    MethodNotAllowed,
    NotFound,
    NotOffered,
    ProxyError,
    UnsupportedMediaType,
)
from app.web import bodies, not_offered, pages
from app.web.envelopes import envelope
from app.web.state import record

log = logging.getLogger(__name__)

BASIC = 'Basic realm="API key as password", charset="UTF-8"'


def init_app(app: flask.Flask) -> None:
    """Turn the project's errors, Werkzeug's and unforeseen ones into responses."""
    app.register_error_handler(ProxyError, respond)
    app.register_error_handler(werkzeug.exceptions.HTTPException, _of_http)
    app.register_error_handler(Exception, _of_unforeseen)


def respond(error: ProxyError) -> flask.Response:
    """Return the response of an error."""
    words = envelope()
    body = words.body(error, record().id)
    response = flask.Response(msgspec.json.encode(body), words.status(error), error.headers())
    response.mimetype = "application/json"
    if pages.is_for_people():
        response.mimetype = "text/html"
        response.set_data(pages.of_error(error))
        pages.guard(response)
    if error.status == HTTPStatus.UNAUTHORIZED:
        # RFC 9110, section 11.6.1. A browser asks its user for a password when it is told Basic.
        browser = flask.request.blueprint in {"page", "docs"}
        response.headers["WWW-Authenticate"] = BASIC if browser else "Bearer"
    response.call_on_close(functools.partial(bodies.discard, flask.request.environ))
    record().code, record().words = error.code or error.type, error.words
    return response


def _of_http(error: werkzeug.exceptions.HTTPException) -> flask.Response:
    method, path = flask.request.method, flask.request.path
    if isinstance(error, werkzeug.exceptions.NotFound | werkzeug.exceptions.MethodNotAllowed):
        reason = not_offered.reason(path)
        if reason is not None:
            return respond(NotOffered(reason))
    if isinstance(error, werkzeug.exceptions.NotFound):
        return respond(
            NotFound(
                f"{method} {path} does not exist here; the API is under /v1, and GET /openapi.json lists all of it."
            )
        )
    if isinstance(error, werkzeug.exceptions.MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        response = respond(MethodNotAllowed(f"{method} is not allowed for {path}; it takes {allowed}."))
        response.headers["Allow"] = allowed
        return response
    if isinstance(error, werkzeug.exceptions.RequestEntityTooLarge):
        most = flask.current_app.config["MAX_CONTENT_LENGTH"]
        return respond(BodyTooLarge(f"The request body is larger than the {most} bytes of CLAUDE_PROXY_MAX_BODY."))
    if isinstance(error, werkzeug.exceptions.UnsupportedMediaType):
        return respond(UnsupportedMediaType("The request body must be JSON."))
    if error.code is not None and error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
        plain = BadRequest(error.description or error.name)
        plain.status = error.code
        return respond(plain)
    return _of_unforeseen(error)


def _of_unforeseen(error: Exception) -> flask.Response:
    log.error("request failed", exc_info=error)
    return respond(ProxyError("The server failed; its log has the reason."))
