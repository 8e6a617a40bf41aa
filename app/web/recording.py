"""The record of the current request: made when it comes, ended when its response is closed."""

from __future__ import annotations

import functools
import re

import flask

from app.records.log import log_response
from app.records.record import RequestRecord
from app.watchdog import REQUEST_ID
from app.web.envelopes import envelope
from app.web.state import record, state

UNMATCHED = "unmatched"
# https://www.w3.org/TR/trace-context/
TRACE = ("traceparent", "tracestate")
BROWSER = "browser"
MAX_CHARACTERS = 40
# A product of a User-Agent and its version (RFC 9110, 10.1.5).
PRODUCT = re.compile(r"([!-.0-~]+)(?:/([!-~]*))?")


def begin() -> None:
    """Make the record of the current request; before anything else."""
    request = flask.request
    route = request.url_rule.rule if request.url_rule else UNMATCHED
    flask.g.record = made = RequestRecord(route, request.method, request.path)
    made.program = program_named(request.headers.get("User-Agent", ""))
    made.trace, made.trace_state = (request.headers.get(name, "") for name in TRACE)
    request.environ[REQUEST_ID] = made.id
    state().history.begin(made)


def respond(response: flask.Response) -> flask.Response:
    """Put the request's id on its response, and end its record when that is closed; after everything else.

    A stream ends when it is closed; so does any other response.
    """
    made, request, words = record(), flask.request, envelope()
    made.status = response.status_code
    response.headers["x-request-id"] = made.id
    if state().settings.demo:
        response.headers["x-proxy-demo"] = "1"
    if words.id_header is not None:
        response.headers[words.id_header] = made.id
    if words.time_header is not None and request.method == "POST" and request.url_rule is not None:
        response.headers[words.time_header] = str(made.ms)
    response.call_on_close(functools.partial(state().history.end, made))
    log_response(made.summary())
    return response


def abandon(_: BaseException | None) -> None:
    """End the record of a request that never got as far as a response."""
    if "record" in flask.g and record().status is None:
        state().history.end(record())


def program_named(user_agent: str) -> str:
    """Return the first product that a User-Agent names, without its version; empty without any.

    All browsers say that they are Mozilla. A word that is no version, as in `OpenAI/Python`, belongs to the name.
    """
    found = PRODUCT.match(user_agent.strip())
    if found is None:
        return ""
    name, more = found[1], found[2] or ""
    if name == "Mozilla":
        return BROWSER
    return (f"{name}/{more}" if more[:1].isalpha() else name)[:MAX_CHARACTERS]
