"""POST /v1/responses, and GET and DELETE /v1/responses/{id}."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import flask
import msgspec

from app.dialects.responses import objects
from app.dialects.responses.ids import new_id
from app.dialects.responses.request import parse
from app.dialects.responses.response import finished
from app.dialects.responses.stream import ResponseStream
from app.errors import BadRequest, NotFound
from app.events import Event
from app.web import bodies, turn_responses
from app.web.state import state
from app.web.stored_responses import Keeping, KeptStream, StoredResponses

responses = flask.Blueprint("responses", __name__)


@responses.post("/responses")
def create() -> flask.Response:
    """Answer an input, streamed or whole, and keep the response unless that is not wanted."""
    parts, stored = state(), _stored()
    parsed = parse(bodies.read(), lambda name: parts.catalogue.resolve(name, parts.settings.default_model), stored.find)
    conversation, thinking = parsed.conversation, parsed.conversation.options.thinking
    response = objects.begun(new_id(), parsed.request, stored=parsed.stored)
    keeping = Keeping(stored, parsed.system, conversation.turns)
    if parsed.stream:
        stream = ResponseStream(response, thinking=thinking)
        dialect = KeptStream(stream, keeping) if parsed.stored else stream
        return turn_responses.streamed([conversation], dialect, parsed.ignored)

    def render(batches: Iterable[list[Event]]) -> bytes:
        whole = finished(keeping.heard(batches), response, thinking=thinking)
        if parsed.stored:
            keeping.keep(whole)
        return msgspec.json.encode(whole)

    return turn_responses.whole([conversation], render, parsed.ignored)


@responses.get("/responses/<name>")
def retrieve(name: str) -> dict[str, Any]:
    """Return a response that was kept."""
    if flask.request.args.get("stream", "").lower() == "true":
        raise BadRequest("stream: a response that is over is not streamed again", param="stream", code="invalid_value")
    found = _stored().find(name)
    if found is None:
        raise _missing(name)
    return found.response


@responses.delete("/responses/<name>")
def delete(name: str) -> dict[str, Any]:
    """Forget a response; those that went on from it stay."""
    if not _stored().delete(name):
        raise _missing(name)
    return {"id": name, "object": "response", "deleted": True}


def _stored() -> StoredResponses:
    return StoredResponses(state().sessions, flask.g.owner)


def _missing(name: str) -> NotFound:
    return NotFound(f"There is no response {name!r} here; it may have expired.", code="response_not_found")
