"""What every page for people has: its headers, and a page in place of an error's JSON for whoever sits at a browser."""

from __future__ import annotations

import base64
from http import HTTPStatus
from pathlib import Path

import flask

from app.errors import InvalidKey, KeyExpired, ProxyError
from app.version import __version__

FOLDER = Path(__file__).parent.parent / "page"
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
# As part of the page: the browser would ask for a key before it fetches a picture.
MARK = "data:image/svg+xml;base64," + base64.b64encode((FOLDER / "mark.svg").read_bytes()).decode()
# Whose errors people see. An address that there is not has none.
FOR_PEOPLE = frozenset({"page", "docs", None})
TITLES = {
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many at a time",
}
FAILED = "The server failed"


def render(template: str, **told: object) -> str:
    """Return a page, with what each has."""
    return flask.render_template(template, version=__version__, mark=MARK, **told)


def guard(response: flask.Response) -> flask.Response:
    """Send what keeps foreign code and foreign frames out."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def is_for_people() -> bool:
    """Tell whether a person looks at the current request's page: a browser asks for HTML before JSON."""
    request = flask.request
    kinds = ("application/json", "text/html")
    return (
        request.method in {"GET", "HEAD"}
        and request.blueprint in FOR_PEOPLE
        and request.accept_mimetypes.best_match(kinds) == "text/html"
    )


def of_error(error: ProxyError) -> str:
    """Return the page that says what went wrong, and what to do."""
    needs_key = isinstance(error, InvalidKey)
    title = TITLES.get(HTTPStatus(error.status), FAILED)
    if needs_key:
        title = "Not the right key" if "Authorization" in flask.request.headers else "A key is needed"
    if isinstance(error, KeyExpired):
        title = "This key has expired"
    return render("error.html", title=title, message=error.message, needs_key=needs_key)
