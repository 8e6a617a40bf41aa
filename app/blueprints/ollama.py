"""What Ollama's clients ask beside answers: which models there are, and which version speaks."""

from __future__ import annotations

from typing import Any

import flask

from app.dialects.fields import decoded
from app.dialects.ollama import ROOT
from app.dialects.ollama.models import VERSION, shown, tags
from app.dialects.ollama.request import plain
from app.errors import BadRequest, NotFound
from app.web.model_access import find, listed
from app.web.state import record, state

ollama = flask.Blueprint("ollama", __name__, url_prefix=ROOT)


@ollama.get("/tags")
def list_tags() -> dict[str, Any]:
    """List what this login may use, as the CLI last reported it."""
    return tags(listed())


@ollama.get("/ps")
def list_running() -> dict[str, Any]:
    """List the models in this machine's memory: none ever is."""
    return {"models": []}


@ollama.get("/version")
def version() -> dict[str, str]:
    """Return the version of Ollama whose API this is."""
    return {"version": VERSION}


@ollama.post("/show")
def show() -> dict[str, Any]:
    """Return what is known of one model, by id, alias or prefixed name."""
    parts = state()
    fields = decoded(parts.bodies.read(record(), parts.connections))
    name = fields.get("model") or fields.get("name")
    if not isinstance(name, str):
        raise BadRequest("model must be a string", param="model", code="missing_required_parameter")
    try:
        return shown(find(plain(name)))
    except NotFound as error:
        # Ollama's words, which its clients look for.
        raise NotFound(f"model {name!r} not found", code=error.code, param="model") from None
