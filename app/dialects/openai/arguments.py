"""The arguments of a call: a JSON text on the wire, an object for the API."""

from __future__ import annotations

from typing import Any

import msgspec

from app.dialects.fields import is_deep


def arguments(text: Any) -> dict[str, Any]:
    """Return the arguments as the object the API wants; what another model once garbled is kept as it was."""
    if isinstance(text, dict):
        return text
    try:
        value = msgspec.json.decode(text) if text else {}
    except (msgspec.DecodeError, TypeError, RecursionError):
        value = text
    if is_deep(value):
        value = text
    return value if isinstance(value, dict) else {"arguments": value}
