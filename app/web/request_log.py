"""A request id for each request, and one log line at its end; streams add a second when they close.

Never a prompt, an answer or a credential.
"""

from __future__ import annotations

import logging
import secrets
import time

import flask

from app.logs import Line

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
    method, path = flask.request.method, ascii(flask.request.path)[1:-1]
    facts = {
        "status": response.status_code,
        "ms": int((time.monotonic() - flask.g.began) * 1000),
        **flask.g.facts,
        "error": flask.g.get("error_code"),
        **marks(),
    }
    log.info(Line(f"{method} {path}", facts, told={"method": method, "path": path}))
    return response


def marks() -> dict[str, object]:
    """Return what every line about the current request ends with: the name of the caller's key, and the id."""
    return {"key": flask.g.get("key_name"), "id": flask.g.request_id}
