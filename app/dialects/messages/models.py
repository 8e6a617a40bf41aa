"""The list of models in Anthropic's shape: https://docs.claude.com/en/api/models-list ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The CLI does not tell when a model came out. Anthropic's API gives the epoch in that case.
UNKNOWN = "1970-01-01T00:00:00Z"


def model_object(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return one entry of the catalogue."""
    limits = {"max_input_tokens": entry.get("context_length"), "max_tokens": entry.get("max_completion_tokens")}
    return {
        "type": "model",
        "id": entry["id"],
        "display_name": entry.get("name") or entry["id"],
        "created_at": UNKNOWN,
        "lifecycle": "active",
        **{name: value for name, value in limits.items() if value is not None},
    }


def model_list(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the whole catalogue as one page."""
    data = [model_object(entry) for entry in entries]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"data": data, "has_more": False, "first_id": first, "last_id": last}
