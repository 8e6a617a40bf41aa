"""POST to each dialect's path: an answer, streamed or whole, or a count of tokens."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import flask

from app.dialects.dialect import Context, Counter, Dialect
from app.errors import BadRequest
from app.sessions.store import SessionName
from app.web import capturing, counting, turn_responses
from app.web.claude_sessions import AnySessionTurn, ClaudeSessionTurn
from app.web.model_access import agent_of, resolve
from app.web.paths import deployment, with_model
from app.web.state import record, state
from app.web.stored_responses import stored_responses
from app.web.stored_sessions import HEADER, SessionTurn, name_of


def blueprint(dialects: Iterable[Dialect]) -> flask.Blueprint:
    """Return the routes of these dialects."""
    turns = flask.Blueprint("turns", __name__)
    for dialect in dialects:
        turns.add_url_rule(dialect.path, dialect.name, functools.partial(answer, dialect), methods=["POST"])
        if (counter := dialect.counter) is not None:
            path, view = dialect.path + counter.path, functools.partial(count, counter)
            turns.add_url_rule(path, f"{dialect.name}_count", view, methods=["POST"])
    return turns


def answer(dialect: Dialect) -> flask.Response:
    """Answer the current request. Raises ProxyError."""
    parts = state()
    in_session = dialect.sessions and HEADER in flask.request.headers
    body = parts.bodies.read(record(), parts.connections)
    capturing.begin(body)
    request = dialect.read(with_model(body, deployment()), _context(in_session=in_session))
    name = name_of(request.session_id) if in_session or request.session_id is not None else None
    if name is not None and len(request.conversations) > 1:
        raise BadRequest("a session goes on with one answer", param="n", code="invalid_value")
    session = None if name is None else _session(name)
    if not request.conversations:
        return flask.Response(request.render(()), mimetype="application/json")
    return turn_responses.respond(request, session, dialect.stream_type)


def _session(name: SessionName) -> AnySessionTurn:
    parts, agent = state(), agent_of(record().asked or "")
    if agent is None or agent.sessions == "server":
        return SessionTurn(parts.sessions, name)
    return ClaudeSessionTurn(parts.sessions, name, agent, parts.settings)


def count(counter: Counter) -> flask.Response:
    """Count the tokens of the current request. Raises ProxyError."""
    parts = state()
    body = parts.bodies.read(record(), parts.connections)
    capturing.begin(body)
    return counting.respond(counter, counter.read(with_model(body, deployment()), _context()))


def _context(*, in_session: bool = False) -> Context:
    named = deployment()

    def resolve_model(name: str) -> str:
        record().asked = name = named or name
        return resolve(name)

    return Context(
        resolve_model=resolve_model,
        responses=stored_responses,
        request_id=record().id,
        in_session=in_session,
    )
