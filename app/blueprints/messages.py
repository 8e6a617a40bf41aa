"""POST /v1/messages/count_tokens."""

from __future__ import annotations

import flask

from app.errors import NotOffered
from app.web import not_offered

messages = flask.Blueprint("messages", __name__)


@messages.post("/messages/count_tokens")
def count() -> flask.Response:
    """Refuse: the CLI counts no tokens without a turn, and a guess would be taken for a count."""
    raise NotOffered(f"{not_offered.COUNTING}.")
