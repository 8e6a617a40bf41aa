"""The arguments of a call: a JSON text on the wire, an object for the API."""

from __future__ import annotations

from typing import Any

import msgspec

from app.dialects import json_size
from app.dialects.fields import is_deep

# A text of more is kept as it is; it would have to be large to have so many.
MAX_VALUES = 20_000


def arguments(text: Any) -> dict[str, Any]:
    """Return the arguments as the object the API wants; what another model once garbled is kept as it was."""
    if isinstance(text, dict):
        return text
    try:
        value = msgspec.json.decode(text) if text and not _is_large(text) else text or {}
    except (msgspec.DecodeError, TypeError, RecursionError):
        value = text
    if is_deep(value):
        value = text
    return value if isinstance(value, dict) else {"arguments": value}


def _is_large(text: Any) -> bool:
    """Tell whether a text has more values in it than anybody's arguments: the count of the body did not see them."""
    if not isinstance(text, str) or len(text) <= MAX_VALUES:
        return False
    return json_size.excessive_field(text.encode(), MAX_VALUES) is not None
