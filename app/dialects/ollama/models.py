"""Models as Ollama lists them: https://docs.ollama.com/api/tags ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from app.dialects.ollama.request import LATEST

# The version of Ollama whose API this is; clients refuse to talk to old ones.
VERSION = "0.13.0"
# Nobody knows when a model was made, and the field is required.
UNKNOWN_TIME = "1970-01-01T00:00:00Z"
FAMILY = "claude"
CAPABILITIES = ("completion", "vision", "tools", "thinking")
# Tokens: what every Claude model takes at least, until the CLI has told.
MIN_CONTEXT_TOKENS = 200_000
DETAILS: dict[str, Any] = {
    "parent_model": "",
    "format": "",
    "family": FAMILY,
    "families": [FAMILY],
    "parameter_size": "",
    "quantization_level": "",
}


def tags(entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the list of models."""
    return {"models": [_listed(entry["id"]) for entry in entries]}


def shown(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a model."""
    return {
        "modelfile": f"FROM {entry['id']}",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "modified_at": UNKNOWN_TIME,
        "details": DETAILS,
        "model_info": {
            "general.architecture": FAMILY,
            "general.basename": entry.get("name", entry["id"]),
            f"{FAMILY}.context_length": entry.get("context_length", MIN_CONTEXT_TOKENS),
        },
        "capabilities": list(CAPABILITIES),
    }


def _listed(model: str) -> dict[str, Any]:
    name = model + LATEST
    return {
        "name": name,
        "model": name,
        "modified_at": UNKNOWN_TIME,
        "size": 0,
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "details": DETAILS,
    }
