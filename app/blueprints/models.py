"""GET /v1/models and /v1/models/{id}."""

from __future__ import annotations

from typing import Any

import flask

from app.dialects.messages.models import model_list, model_object
from app.errors import NotFound
from app.web.envelopes import is_anthropic_client
from app.web.state import state

models = flask.Blueprint("models", __name__)


@models.get("/models")
def list_models() -> dict[str, Any]:
    """List what this login may use, as the CLI last reported it; to Anthropic's clients in Anthropic's shape."""
    entries = state().catalogue.entries()
    return model_list(entries) if is_anthropic_client() else {"object": "list", "data": entries}


@models.get("/models/<path:name>")
def get_model(name: str) -> dict[str, Any]:
    """Return one model, by id, alias or prefixed name."""
    entry = state().catalogue.find(name)
    if entry is None:
        raise NotFound(f"The model {name!r} is not in this login's list.", code="model_not_found", param="model")
    return model_object(entry) if is_anthropic_client() else entry
