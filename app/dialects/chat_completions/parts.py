"""The content of a message: a string, null, or a list of parts."""

from __future__ import annotations

from typing import Any

from app.conversation import TextBlock
from app.errors import BadRequest

# Which key holds the text of a part.
TEXT_KEYS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}


def text_blocks(content: Any, param: str) -> list[TextBlock]:
    """Return the texts of a message, each verbatim, without those that hold only white space (the API refuses them).

    Raises BadRequest naming the part.
    """
    if content is None:
        return []
    if isinstance(content, str):
        texts = [content]
    elif isinstance(content, list):
        texts = [_text(part, f"{param}[{index}]") for index, part in enumerate(content)]
    else:
        raise BadRequest(f"{param} must be a string, null or an array of parts", param=param, code="invalid_value")
    return [TextBlock(text) for text in texts if text.strip()]


def _text(part: Any, param: str) -> str:
    if isinstance(part, str):
        return part  # some clients send bare strings in the array
    if not isinstance(part, dict):
        raise BadRequest(f"{param} must be an object", param=param, code="invalid_value")
    kind = part.get("type")
    key = TEXT_KEYS.get(kind) if isinstance(kind, str) else None
    if key is None:
        known = ", ".join(TEXT_KEYS)
        raise BadRequest(
            f"{param}.type {kind!r} is not supported; this server takes {known}",
            param=f"{param}.type",
            code="invalid_value",
        )
    text = part.get(key)
    if not isinstance(text, str):
        raise BadRequest(f"{param}.{key} must be a string", param=f"{param}.{key}", code="invalid_value")
    return text
