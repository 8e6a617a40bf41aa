"""GET /: the status page, its script and style, and GET /events, which keeps it up to date."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path

import flask
import msgspec

from app.client_configs import CLIENTS, Access, Model
from app.version import __version__
from app.web import sse
from app.web.page_feed import page_feed
from app.web.state import record, state

FOLDER = Path(__file__).parent.parent / "page"
SCRIPT, STYLE = ((FOLDER / name).read_bytes() for name in ("page.js", "page.css"))
# Nothing but our own files, no markup made of text, no other site's frame.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# What a Host header may hold to become part of a text to paste; the gate has judged whose it is.
HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")
KEY = "YOUR-KEY"

page = flask.Blueprint("page", __name__, template_folder=FOLDER)


@page.after_request
def guard(response: flask.Response) -> flask.Response:
    """Send what keeps foreign code and foreign frames out."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@page.get("/")
def show() -> str:
    """Return the page, as it is without its script."""
    parts = state()
    told = page_feed().sections(record().caller.view)["state"]
    models = tuple(msgspec.convert(entry, Model) for entry in parts.catalogue.entries())
    closed = record().caller.key is not None
    access = Access(_base_url(parts.settings.port), KEY if closed else "not-needed", models)
    return flask.render_template(
        "page.html",
        version=__version__,
        ready=told["reason"] is None,
        **told,
        models=[model.id for model in models],
        preferred=access.preferred,
        clients=[(name, write(access)) for name, write in CLIENTS.items()],
        closed=closed,
        demo=parts.settings.demo,
        key=KEY,
    )


@page.get("/page.js")
def script() -> flask.Response:
    """Return the page's script."""
    return flask.Response(SCRIPT, mimetype="text/javascript")


@page.get("/page.css")
def style() -> flask.Response:
    """Return the page's style."""
    return flask.Response(STYLE, mimetype="text/css")


@page.get("/events")
def events() -> flask.Response:
    """Stream what the page shows, until it is closed or the server stops."""
    parts = state()
    gone = threading.Event()
    with contextlib.ExitStack() as failing:
        failing.enter_context(page_feed().page())
        idle_seconds = parts.settings.idle_timeout
        failing.enter_context(parts.disconnects.watch(flask.request.environ, gone.set, idle_seconds))
        scope = failing.pop_all()
    response = flask.Response(page_feed().news(gone, record().caller.view), headers=sse.HEADERS)
    response.call_on_close(scope.close)
    return response


def _base_url(port: int) -> str:
    request = flask.request
    host = request.host if HOST.fullmatch(request.host) else f"127.0.0.1:{port}"
    return f"{request.scheme}://{host}/v1"
