"""The record of the current request: made when it comes, ended when its response is closed."""

from __future__ import annotations

import functools

import flask

from app.records.log import log_response
from app.records.record import RequestRecord
from app.watchdog import REQUEST_ID
from app.web.envelopes import envelope
from app.web.state import record, state

UNMATCHED = "unmatched"


def begin() -> None:
    """Make the record of the current request; before anything else."""
    request = flask.request
    route = request.url_rule.rule if request.url_rule else UNMATCHED
    flask.g.record = made = RequestRecord(route, request.method, request.path)
    request.environ[REQUEST_ID] = made.id
    state().history.begin(made)


def respond(response: flask.Response) -> flask.Response:
    """Put the request's id on its response, and end its record when that is closed; after everything else.

    A stream ends when it is closed; so does any other response.
    """
    made, request, words = record(), flask.request, envelope()
    made.status = response.status_code
    response.headers["x-request-id"] = made.id
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
