"""The application with a route that holds the event loop: `gunicorn ... tests.stalling_wsgi:app`."""

from __future__ import annotations

import time

import flask
from gevent.monkey import get_original

from app import create_app

app = create_app()


@app.get("/stall/<int:ms>")
def hold(ms: int) -> str:
    get_original("time", "sleep")(ms / 1000)
    return flask.g.record.id


@app.get("/work/<int:ms>")
def work(ms: int) -> str:
    deadline = time.process_time() + ms / 1000
    while time.process_time() < deadline:
        pass
    return flask.g.record.id
