"""GET /docs and /docs/TOPIC: the documents of the version that runs."""

from __future__ import annotations

import flask

from app import documentation
from app.errors import NotFound
from app.web import pages

docs = flask.Blueprint("docs", __name__, template_folder=pages.FOLDER)
docs.after_request(pages.guard)


@docs.get("/docs")
def index() -> str:
    """Return the list of topics."""
    return pages.render("docs.html", title="Documents", topics=documentation.topics())


@docs.get("/docs/<topic>")
def show(topic: str) -> str:
    """Return one document."""
    topics = documentation.topics()
    if topic not in topics:
        raise NotFound(f"There is no document {topic!r}; there are {', '.join(topics)}.")
    text = documentation.render(topic)
    return pages.render("docs.html", title=topics[topic], topics=topics, text=text)
