"""GET /: the status page, its files below /page; GET /events, which keeps it up to date; POST /resume, its button."""

from __future__ import annotations

import contextlib
import re
import threading
from typing import Any

import flask
import msgspec

from app.client_configs import CLIENTS, NAMES, Access, Model
from app.errors import Forbidden, NotFound
from app.web import pages, sse
from app.web.model_access import listed
from app.web.page_feed import page_feed
from app.web.state import record, state

# The page's own files, by name. They are in every copy of this program, so no key is asked for them.
KINDS = {".js": "text/javascript", ".css": "text/css"}
FILES = {path.name: path.read_bytes() for path in sorted(pages.FOLDER.rglob("*")) if path.suffix in KINDS}
# What the page needs at once; the others are fetched when they are needed.
LATER = ("markdown.js", "marked.js", "purify.js")
MODULES = [name for name in FILES if name.endswith(".js") and name not in LATER]
# What a Host header may hold to become part of a text to paste; the gate has judged whose it is.
HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")
KEY = "YOUR-KEY"

page = flask.Blueprint("page", __name__, template_folder=pages.FOLDER)
page.after_request(pages.guard)


@page.get("/")
def show() -> str:
    """Return the page, as it is without its script."""
    parts = state()
    told = page_feed().sections(record().caller.view)["state"]
    models = tuple(msgspec.convert(entry, Model) for entry in listed() or parts.catalogue.entries())
    closed = record().caller.key is not None
    access = Access(_base_url(parts.settings.port), KEY if closed else "not-needed", models)
    return pages.render(
        "page.html",
        state=told,
        models=models,
        access=access,
        clients=[(NAMES[name], write(access)) for name, write in CLIENTS.items()],
        closed=closed,
        demo=parts.settings.demo,
        modules=MODULES,
    )


@page.get("/page/<name>")
def file(name: str) -> flask.Response:
    """Return one of the page's own files. Raises NotFound."""
    if name not in FILES:
        raise NotFound(f"There is no file {name!r} of the page.")
    response = flask.Response(FILES[name], mimetype=KINDS[f".{name.rpartition('.')[2]}"])
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(flask.request)
    return response


@page.get("/events")
def events() -> flask.Response:
    """Stream what the page shows, until it is closed or the server stops."""
    parts = state()
    caller = record().caller
    gone = threading.Event()
    with contextlib.ExitStack() as failing:
        failing.enter_context(page_feed().page(caller.owner, caller.view))
        idle_seconds = parts.settings.idle_timeout
        failing.enter_context(parts.disconnects.watch(flask.request.environ, gone.set, idle_seconds))
        scope = failing.pop_all()
    response = flask.Response(page_feed().news(gone, caller.view, caller.owner), headers=sse.HEADERS)
    response.call_on_close(scope.close)
    return response


@page.post("/resume")
def resume() -> dict[str, Any]:
    """Accept the extra usage that is known now until its end. Raises Forbidden to keys that see only their own."""
    if record().caller.view is not None:
        raise Forbidden(
            "This API key may not decide what the plan's owner pays for; one that CLAUDE_PROXY_ADMIN_KEYS names may, "
            "and `claude-max-api resume` on the server's machine."
        )
    return {"accepted": msgspec.to_builtins(state().backend.resume())}


def _base_url(port: int) -> str:
    request = flask.request
    host = request.host if HOST.fullmatch(request.host) else f"127.0.0.1:{port}"
    return f"{request.scheme}://{host}/v1"
