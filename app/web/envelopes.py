"""In whose words the current request is spoken to: its dialect's, and OpenAI's where no dialect says."""

from __future__ import annotations

import flask

from app.dialects import DIALECTS
from app.dialects.dialect import Envelope
from app.dialects.messages.errors import ENVELOPE as ANTHROPIC
from app.dialects.openai.answers import ENVELOPE as OPENAI

PREFIX = "/v1"
# Where an application keeps its dialects.
KEY = "dialects"
# The SDKs of Anthropic send it with every request.
VERSION = "anthropic-version"


def envelope() -> Envelope:
    """Return that of the dialect on whose path the current request is, or below it, or among those of its API."""
    request = flask.request
    path = request.path.removeprefix(PREFIX)
    for dialect in flask.current_app.extensions.get(KEY, DIALECTS):
        within = f"{path}/".startswith(f"{dialect.path}/")
        if within or (dialect.root and request.path.startswith(f"{dialect.root}/")):
            found: Envelope = dialect.envelope
            return found
    shared = request.url_rule is None or f"{path}/".startswith("/models/")
    return ANTHROPIC if shared and is_anthropic_client() else OPENAI


def is_anthropic_client() -> bool:
    """Tell whether a client of Anthropic's API calls, on a route that OpenAI's clients have, too."""
    return VERSION in flask.request.headers
