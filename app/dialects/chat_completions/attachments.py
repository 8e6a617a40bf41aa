"""What a message may hold besides text: `image_url` and `file` parts, and Anthropic's own blocks."""

from __future__ import annotations

from typing import Any

from app.conversation import DocumentBlock, ImageBlock
from app.dialects import files, images
from app.dialects.anthropic import content
from app.dialects.fields import mapping, string
from app.dialects.openai.parts import Attachments


def image(part: dict[str, Any], param: str) -> ImageBlock:
    """Return the picture of an `image_url` part; `detail` has no effect. Raises BadRequest naming the field."""
    place = f"{param}.image_url"
    given = part.get("image_url")
    if isinstance(given, str):
        return images.of_url(given, place)  # several clients leave out the object around it
    url = string(mapping(given, place).get("url"), f"{place}.url")
    return images.of_url(url, f"{place}.url")


def document(part: dict[str, Any], param: str) -> DocumentBlock:
    """Return the document of a `file` part. Raises BadRequest naming the field."""
    place = f"{param}.file"
    return files.document(mapping(part.get("file"), place), place)


# Cursor sends a Claude model's pictures and documents as Anthropic's API has them.
ATTACHMENTS: Attachments = {
    "image_url": image,
    "file": document,
    **dict.fromkeys(content.ATTACHMENTS, content.attachment),
}
