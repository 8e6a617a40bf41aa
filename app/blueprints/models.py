"""GET /v1/models and /v1/models/{id}."""

from __future__ import annotations

from typing import Any

import flask

from app.dialects.messages.models import model_list, model_object
from app.web.envelopes import is_anthropic_client
from app.web.model_access import find, listed

models = flask.Blueprint("models", __name__)


@models.get("/models")
def list_models() -> dict[str, Any]:
    """List the models and agents that the caller may use; to Anthropic's clients in Anthropic's shape."""
    entries = listed()
    return model_list(entries) if is_anthropic_client() else {"object": "list", "data": entries}


@models.get("/models/<path:name>")
def get_model(name: str) -> dict[str, Any]:
    """Return one model or agent, by id, alias or prefixed name."""
    entry = find(name)
    return model_object(entry) if is_anthropic_client() else entry
