"""A request id for each request, and one log line at its end; streams add a second when they close.

Never a prompt, an answer or a credential.
"""

from __future__ import annotations

import functools
import logging
import secrets

import flask

from app.logs import Line
from app.watchdog import REQUEST_ID
from app.web.entry import Entry
from app.web.envelopes import envelope
from app.web.recent import Recent

log = logging.getLogger("app.request")

UNMATCHED = "unmatched"


def init_app(app: flask.Flask, recent: Recent | None = None) -> None:
    """Stamp and log every request of `app`, and tell `recent` of it."""
    recent = recent or Recent()
    app.before_request_funcs.setdefault(None, []).insert(0, functools.partial(_begin, recent))
    app.after_request(functools.partial(_end, recent))


def _begin(recent: Recent) -> None:
    request = flask.request
    flask.g.request_id = f"req_{secrets.token_hex(12)}"
    request.environ[REQUEST_ID] = flask.g.request_id
    flask.g.facts = {}
    # Whatever is posted to a route that exists is a completion.
    turn = request.method == "POST" and request.url_rule is not None
    flask.g.entry = Entry(flask.g.request_id, request.url_rule.rule if request.url_rule else UNMATCHED, turn=turn)
    recent.begin(flask.g.entry)


def _end(recent: Recent, response: flask.Response) -> flask.Response:
    entry: Entry = flask.g.entry
    response.headers["x-request-id"] = entry.id
    words = envelope()
    if words.id_header is not None:
        response.headers[words.id_header] = entry.id
    if words.time_header is not None and entry.turn:
        response.headers[words.time_header] = str(entry.ms)
    entry.owner = flask.g.get("owner", "")
    entry.key, entry.status, entry.code = flask.g.get("key_name"), response.status_code, flask.g.get("error_code")
    # A stream ends when it is closed; so does any other response.
    response.call_on_close(functools.partial(recent.end, entry))
    method, path = flask.request.method, ascii(flask.request.path)[1:-1]
    facts = {
        "status": response.status_code,
        "ms": entry.ms,
        **flask.g.facts,
        "error": flask.g.get("error_code"),
        **marks(),
    }
    log.info(Line(f"{method} {path}", facts, told={"method": method, "path": path}))
    return response


def marks() -> dict[str, object]:
    """Return what every line about the current request ends with: the name of the caller's key, and the id."""
    return {"key": flask.g.get("key_name"), "id": flask.g.request_id}
