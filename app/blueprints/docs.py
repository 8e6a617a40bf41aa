"""GET /docs and /docs/TOPIC: the documents of the version that runs."""

from __future__ import annotations

import flask

from app import documentation
from app.blueprints.page import FOLDER, guard
from app.errors import NotFound
from app.version import __version__

docs = flask.Blueprint("docs", __name__, template_folder=FOLDER)
docs.after_request(guard)


@docs.get("/docs")
def index() -> str:
    """Return the list of topics."""
    return flask.render_template("docs.html", title="Documents", topics=documentation.topics(), version=__version__)


@docs.get("/docs/<topic>")
def show(topic: str) -> str:
    """Return one document."""
    topics = documentation.topics()
    if topic not in topics:
        raise NotFound(f"There is no document {topic!r}; there are {', '.join(topics)}.")
    text = documentation.render(topic)
    return flask.render_template("docs.html", title=topics[topic], topics=topics, text=text, version=__version__)
