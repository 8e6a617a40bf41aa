"""GET and DELETE /v1/responses/{id}."""

from __future__ import annotations

from typing import Any

import flask

from app.errors import BadRequest, NotFound
from app.web.stored_responses import stored_responses

responses = flask.Blueprint("responses", __name__)


@responses.get("/responses/<name>")
def retrieve(name: str) -> dict[str, Any]:
    """Return a response that was kept."""
    if flask.request.args.get("stream", "").lower() == "true":
        raise BadRequest("stream: a response that is over is not streamed again", param="stream", code="invalid_value")
    found = stored_responses().find(name)
    if found is None:
        raise _missing(name)
    return found.response


@responses.delete("/responses/<name>")
def delete(name: str) -> dict[str, Any]:
    """Forget a response; those that went on from it stay."""
    if not stored_responses().delete(name):
        raise _missing(name)
    return {"id": name, "object": "response", "deleted": True}


def _missing(name: str) -> NotFound:
    return NotFound(f"There is no response {name!r} here; it may have expired.", code="response_not_found")
