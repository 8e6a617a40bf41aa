"""POST /v1/completions."""

from __future__ import annotations

import flask

from app.dialects.completions.request import parse
from app.dialects.completions.response import completion
from app.dialects.completions.stream import CompletionStream
from app.dialects.openai.objects import Identity
from app.web import bodies, turn_responses
from app.web.state import state

completions = flask.Blueprint("completions", __name__)


@completions.post("/completions")
def complete() -> flask.Response:
    """Continue one text or several, streamed or whole."""
    parts = state()
    parsed = parse(bodies.read(), lambda name: parts.catalogue.resolve(name, parts.settings.default_model))
    identity = Identity.new("cmpl")
    if parsed.stream:
        dialect = CompletionStream(identity, parsed.model, include_usage=parsed.include_usage, echoes=parsed.echoes)
        return turn_responses.streamed(parsed.conversations, dialect, parsed.ignored)
    return turn_responses.whole(
        parsed.conversations, lambda batches: completion(batches, identity, parsed.echoes), parsed.ignored
    )
