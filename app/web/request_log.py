"""A request id for each request, and one log line at its end; streams add a second when they close.

Never a prompt, an answer or a credential.
"""

from __future__ import annotations

import logging
import secrets
import time

import flask

log = logging.getLogger("app.request")


def init_app(app: flask.Flask) -> None:
    """Stamp and log every request of `app`."""
    app.before_request_funcs.setdefault(None, []).insert(0, _begin)
    app.after_request(_end)


def _begin() -> None:
    flask.g.began = time.monotonic()
    flask.g.request_id = f"req_{secrets.token_hex(12)}"
    flask.g.facts = {}


def _end(response: flask.Response) -> flask.Response:
    response.headers["x-request-id"] = flask.g.request_id
    facts = dict(flask.g.facts)
    if "error_code" in flask.g:
        facts["error"] = flask.g.error_code
    log.info(
        "%s %s status=%d ms=%d%s id=%s",
        flask.request.method,
        ascii(flask.request.path)[1:-1],  # no line breaks from outside
        response.status_code,
        (time.monotonic() - flask.g.began) * 1000,
        shown(facts),
        flask.g.request_id,
    )
    return response


def shown(facts: dict[str, object]) -> str:
    """Return ` key=value` for each fact that is known."""
    return "".join(f" {key}={value}" for key, value in facts.items() if value is not None)
