"""The application with a route that holds the event loop: `gunicorn ... tests.stalling_wsgi:app`."""

from __future__ import annotations

import flask
from gevent.monkey import get_original

from app import create_app

app = create_app()


@app.get("/stall/<int:ms>")
def hold(ms: int) -> str:
    get_original("time", "sleep")(ms / 1000)
    return flask.g.record.id
