"""POST /v1/chat/completions."""

from __future__ import annotations

import flask

from app.dialects.chat_completions.request import parse
from app.dialects.chat_completions.response import Identity, completion
from app.dialects.chat_completions.stream import ChatStream
from app.web import bodies, turn_responses
from app.web.state import state

chat = flask.Blueprint("chat", __name__)


@chat.post("/chat/completions")
def complete() -> flask.Response:
    """Answer a conversation, streamed or whole."""
    parts = state()
    parsed = parse(bodies.read(), lambda name: parts.catalogue.resolve(name, parts.settings.default_model))
    identity = Identity.new()
    if parsed.stream:
        dialect = ChatStream(identity, parsed.conversation.model, include_usage=parsed.include_usage)
        return turn_responses.streamed(parsed.conversation, dialect, parsed.ignored)
    return turn_responses.whole(parsed.conversation, lambda run: completion(run, identity), parsed.ignored)
