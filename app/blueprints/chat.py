"""POST /v1/chat/completions."""

from __future__ import annotations

import flask

from app.dialects.chat_completions.request import parse
from app.dialects.chat_completions.response import completion
from app.dialects.chat_completions.stream import ChatStream
from app.dialects.openai.objects import Identity
from app.errors import BadRequest
from app.web import bodies, turn_responses
from app.web.session_turns import HEADER, SessionTurn, key_of
from app.web.state import state

chat = flask.Blueprint("chat", __name__)


@chat.post("/chat/completions")
def complete() -> flask.Response:
    """Answer a conversation, streamed or whole."""
    parts = state()
    parsed = parse(
        bodies.read(),
        lambda name: parts.catalogue.resolve(name, parts.settings.default_model),
        in_session=HEADER in flask.request.headers,
    )
    conversation, ignored, n = parsed.conversation, parsed.ignored, parsed.n
    key = key_of(parsed.session_id)
    if key is not None and n > 1:
        raise BadRequest("a session goes on with one answer", param="n", code="invalid_value")
    session = None if key is None else SessionTurn(parts.sessions, key)
    identity = Identity.new("chatcmpl")
    reasoning = conversation.options.thinking
    if parsed.stream:
        dialect = ChatStream(identity, conversation.model, include_usage=parsed.include_usage, reasoning=reasoning, n=n)
        return turn_responses.streamed([conversation] * n, dialect, ignored, session)
    return turn_responses.whole(
        [conversation] * n, lambda batches: completion(batches, identity, reasoning=reasoning, n=n), ignored, session
    )
