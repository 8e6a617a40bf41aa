"""POST to each dialect's path: an answer, streamed or whole."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import flask

from app.dialects.dialect import Context, Dialect
from app.errors import BadRequest
from app.web import bodies, turn_responses
from app.web.state import record, state
from app.web.stored_responses import stored_responses
from app.web.stored_sessions import HEADER, SessionTurn, key_of


def blueprint(dialects: Iterable[Dialect]) -> flask.Blueprint:
    """Return the routes of these dialects."""
    turns = flask.Blueprint("turns", __name__)
    for dialect in dialects:
        turns.add_url_rule(dialect.path, dialect.name, functools.partial(answer, dialect), methods=["POST"])
    return turns


def answer(dialect: Dialect) -> flask.Response:
    """Answer the current request. Raises ProxyError."""
    parts = state()
    context = Context(
        resolve_model=lambda name: parts.catalogue.resolve(name, parts.settings.default_model),
        responses=stored_responses(),
        request_id=record().id,
        in_session=dialect.sessions and HEADER in flask.request.headers,
    )
    request = dialect.read(bodies.read(), context)
    key = key_of(request.session_id) if dialect.sessions else None
    if key is not None and len(request.conversations) > 1:
        raise BadRequest("a session goes on with one answer", param="n", code="invalid_value")
    session = None if key is None else SessionTurn(parts.sessions, key)
    return turn_responses.respond(request, session)
