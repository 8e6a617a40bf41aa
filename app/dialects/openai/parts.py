"""The content of a message: a string, null, or a list of parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.conversation import DocumentBlock, ImageBlock, TextBlock
from app.dialects.fields import invalid, mapping, paced, shown, string

Content = TextBlock | ImageBlock | DocumentBlock
# How the parts that are no text are read, by their type; each is given a part and its place.
Attachments = Mapping[str, Callable[[dict[str, Any], str], ImageBlock | DocumentBlock]]

# Which key holds the text of a part.
TEXT_KEYS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}


def text_blocks(content: Any, param: str) -> list[TextBlock]:
    """Return the texts of a message that takes nothing else, each verbatim.

    Those that hold only white space are left out (the API refuses them). Raises BadRequest naming the part.
    """
    return [block for part, place in listed(content, param) for block in text_block(part, place)]


def content_blocks(content: Any, param: str, attachments: Attachments) -> list[Content]:
    """Return the texts, pictures and documents of a message, in their order. Raises BadRequest naming the part."""
    return [found for part, place in listed(content, param) for found in block(part, place, attachments)]


def plain_text(content: Any, param: str) -> str:
    """Return the texts of a message that takes nothing else, a line each. Raises BadRequest naming the part."""
    return "\n".join(block.text for block in text_blocks(content, param))


def listed(content: Any, param: str) -> list[tuple[Any, str]]:
    """Return the parts of a content and their places. Raises BadRequest naming the field."""
    if content is None:
        return []
    if isinstance(content, str):
        return [(content, param)]
    if isinstance(content, list):
        return [(part, f"{param}[{index}]") for index, part in paced(content, param)]
    raise invalid(param, "must be a string, null or an array of parts")


def text_block(part: Any, param: str) -> list[TextBlock]:
    """Return the text of a part, nothing for white space alone. Raises BadRequest naming the field."""
    text = _text(part, param)
    return [TextBlock(text)] if text.strip() else []


def block(part: Any, param: str, attachments: Attachments) -> list[Content]:
    """Return what a part holds, nothing for white space alone. Raises BadRequest naming the field."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "input_audio":
        raise invalid(f"{param}.type", "'input_audio' is refused: Claude does not take audio")
    read = attachments.get(kind) if isinstance(kind, str) else None
    if read is not None:
        return [read(part, param)]
    text = _text(part, param, tuple(attachments))
    return [TextBlock(text)] if text.strip() else []


def _text(part: Any, param: str, others: tuple[str, ...] = ()) -> str:
    if isinstance(part, str):
        return part  # some clients send bare strings in the array
    kind = mapping(part, param).get("type")
    key = TEXT_KEYS.get(kind) if isinstance(kind, str) else None
    if key is None:
        known = ", ".join((*TEXT_KEYS, *others))
        raise invalid(f"{param}.type", f"{shown(kind)} is not supported; this message takes {known}")
    return string(part.get(key), f"{param}.{key}")
