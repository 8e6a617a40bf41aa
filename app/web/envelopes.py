"""In whose words the current request is spoken to: its dialect's, and OpenAI's where no dialect says."""

from __future__ import annotations

import flask

from app.dialects import DIALECTS
from app.dialects.dialect import Envelope
from app.dialects.messages.dialect import ENVELOPE as ANTHROPIC
from app.dialects.openai.errors import ENVELOPE as OPENAI

PREFIX = "/v1"
# Where an application keeps its dialects.
KEY = "dialects"
# The SDKs of Anthropic send it with every request.
VERSION = "anthropic-version"


def envelope() -> Envelope:
    """Return that of the dialect on whose path the current request is, or below it."""
    request = flask.request
    path = request.path.removeprefix(PREFIX)
    for dialect in flask.current_app.extensions.get(KEY, DIALECTS):
        if _under(path, dialect.path):
            found: Envelope = dialect.envelope
            return found
    shared = request.url_rule is None or _under(path, "/models")
    return ANTHROPIC if shared and is_anthropic_client() else OPENAI


def is_anthropic_client() -> bool:
    """Tell whether a client of Anthropic's API calls, on a route that OpenAI's clients have, too."""
    return VERSION in flask.request.headers


def _under(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")
