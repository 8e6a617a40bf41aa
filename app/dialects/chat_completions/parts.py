"""The content of a message: a string, null, or a list of parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.conversation import DocumentBlock, ImageBlock, TextBlock
from app.dialects.chat_completions.files import document
from app.dialects.chat_completions.images import image
from app.dialects.fields import invalid, mapping, shown, string

Content = TextBlock | ImageBlock | DocumentBlock

# Which key holds the text of a part.
TEXT_KEYS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
ATTACHMENTS: dict[str, Callable[[dict[str, Any], str], ImageBlock | DocumentBlock]] = {
    "image_url": image,
    "file": document,
}


def text_blocks(content: Any, param: str) -> list[TextBlock]:
    """Return the texts of a message that takes nothing else, each verbatim.

    Those that hold only white space are left out (the API refuses them). Raises BadRequest naming the part.
    """
    return [TextBlock(text) for part, place in _parts(content, param) if (text := _text(part, place)).strip()]


def content_blocks(content: Any, param: str) -> list[Content]:
    """Return the texts, pictures and documents of a message, in their order. Raises BadRequest naming the part."""
    blocks: list[Content] = [_block(part, place) for part, place in _parts(content, param)]
    return [block for block in blocks if not isinstance(block, TextBlock) or block.text.strip()]


def _parts(content: Any, param: str) -> list[tuple[Any, str]]:
    if content is None:
        return []
    if isinstance(content, str):
        return [(content, param)]
    if isinstance(content, list):
        return [(part, f"{param}[{index}]") for index, part in enumerate(content)]
    raise invalid(param, "must be a string, null or an array of parts")


def _block(part: Any, param: str) -> Content:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "input_audio":
        raise invalid(f"{param}.type", "'input_audio' is refused: Claude does not take audio")
    read = ATTACHMENTS.get(kind) if isinstance(kind, str) else None
    return read(part, param) if read is not None else TextBlock(_text(part, param, tuple(ATTACHMENTS)))


def _text(part: Any, param: str, others: tuple[str, ...] = ()) -> str:
    if isinstance(part, str):
        return part  # some clients send bare strings in the array
    kind = mapping(part, param).get("type")
    key = TEXT_KEYS.get(kind) if isinstance(kind, str) else None
    if key is None:
        known = ", ".join((*TEXT_KEYS, *others))
        raise invalid(f"{param}.type", f"{shown(kind)} is not supported; this message takes {known}")
    return string(part.get(key), f"{param}.{key}")
