"""POST /v1/messages and /v1/messages/count_tokens."""

from __future__ import annotations

import flask

from app.dialects.messages.objects import new_id
from app.dialects.messages.request import parse
from app.dialects.messages.response import message
from app.dialects.messages.stream import MessageStream
from app.errors import NotOffered
from app.web import bodies, not_offered, turn_responses
from app.web.state import state

messages = flask.Blueprint("messages", __name__)


@messages.post("/messages")
def create() -> flask.Response:
    """Answer a conversation, streamed or whole."""
    parts = state()
    parsed = parse(bodies.read(), lambda name: parts.catalogue.resolve(name, parts.settings.default_model))
    conversation, ignored = parsed.conversation, parsed.ignored
    identity, thinking = new_id(), conversation.options.signed
    if parsed.stream:
        dialect = MessageStream(identity, thinking=thinking, request_id=flask.g.request_id)
        return turn_responses.streamed([conversation], dialect, ignored)
    return turn_responses.whole([conversation], lambda batches: message(batches, identity, thinking=thinking), ignored)


@messages.post("/messages/count_tokens")
def count() -> flask.Response:
    """Refuse: the CLI counts no tokens without a turn, and a guess would be taken for a count."""
    raise NotOffered(f"{not_offered.COUNTING}.")
