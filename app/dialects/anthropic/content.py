"""The blocks that users and tools send: text, pictures and documents.

`cache_control` is accepted everywhere and has no effect, since the CLI caches by itself; a document's `citations` have.
"""

from __future__ import annotations

from typing import Any

from app.conversation import Citing, DocumentBlock, ImageBlock, TextBlock, TextSource
from app.dialects import attachments
from app.dialects.attachments import InlineData
from app.dialects.fields import invalid, mapping, paced, shown, string

Content = TextBlock | ImageBlock | DocumentBlock
ATTACHMENTS = ("image", "document", "search_result")
KINDS = ("text", *ATTACHMENTS)
# The client's own search for tools names what it found; here all tools are offered from the beginning.
RESULTS = (*KINDS, "tool_reference")


def listed(content: Any, param: str) -> list[tuple[dict[str, Any], str]]:
    """Return the blocks of a content and their places; a string is one text. Raises BadRequest naming the field."""
    if isinstance(content, str):
        return [({"type": "text", "text": content}, param)]
    if not isinstance(content, list):
        raise invalid(param, "must be a string or an array of blocks")
    places = [(block, f"{param}[{index}]") for index, block in paced(content, param)]
    return [(mapping(block, place), place) for block, place in places]


def contents(content: Any, param: str, kinds: tuple[str, ...] = KINDS) -> list[Content]:
    """Return a content of these kinds alone, blank texts left out. Raises BadRequest naming the block."""
    return [found for block, place in listed(content, param) if (found := read(block, place, kinds)) is not None]


def texts(content: Any, param: str) -> str:
    """Return a content that holds text alone, a blank line between its blocks. Raises BadRequest naming the block."""
    blocks = contents(content, param, ("text",))
    return "\n\n".join(block.text for block in blocks if isinstance(block, TextBlock))


def read(block: dict[str, Any], param: str, kinds: tuple[str, ...]) -> Content | None:
    """Return a block of one of these kinds, or None for a text of nothing but white space, which the API refuses.

    Raises BadRequest naming the field.
    """
    kind = block.get("type")
    if kind not in kinds:
        raise invalid(f"{param}.type", f"{shown(kind)} is not supported here, only {', '.join(kinds)}")
    if kind in ATTACHMENTS:
        return attachment(block, param)
    if kind == "tool_reference":
        return TextBlock(f"The tool {string(block.get('tool_name'), f'{param}.tool_name')} is there and can be called.")
    text = string(block.get("text"), f"{param}.text")
    return TextBlock(text) if text.strip() else None


def attachment(block: dict[str, Any], param: str) -> ImageBlock | DocumentBlock:
    """Return a block of one of ATTACHMENTS. Raises BadRequest naming the field."""
    match block.get("type"):
        case "image":
            return _image(mapping(block.get("source"), f"{param}.source"), f"{param}.source")
        case "document":
            return _document(block, param)
        case _:
            return _search_result(block, param)


def _image(source: dict[str, Any], param: str) -> ImageBlock:
    match source.get("type"):
        case "base64":
            media_type = string(source.get("media_type"), f"{param}.media_type")
            return attachments.picture_of_data(media_type, string(source.get("data"), f"{param}.data"), f"{param}.data")
        case "url":
            return attachments.picture_at(string(source.get("url"), f"{param}.url"), f"{param}.url")
        case kind:
            raise invalid(f"{param}.type", f"must be base64 or url, not {shown(kind)}")


def _document(block: dict[str, Any], param: str) -> DocumentBlock:
    title, context = (
        None if block.get(key) is None else string(block[key], f"{param}.{key}") or None for key in ("title", "context")
    )
    place = f"{param}.source"
    citing = _citing(block.get("citations"), f"{param}.citations")
    return DocumentBlock(_source(mapping(block.get("source"), place), place), title, context, citing)


def _citing(given: Any, param: str) -> Citing | None:
    enabled = None if given is None else mapping(given, param).get("enabled")
    if not isinstance(enabled, bool | None):
        raise invalid(f"{param}.enabled", "must be true or false")
    return Citing(enabled=True) if enabled else None


def _search_result(block: dict[str, Any], param: str) -> DocumentBlock:
    """Return a passage that the client found as a document, which the CLI takes."""
    text = _text(texts(block.get("content"), f"{param}.content"), f"{param}.content")
    title, where = (string(block.get(key), f"{param}.{key}") or None for key in ("title", "source"))
    return DocumentBlock(text, title, where)


def _source(source: dict[str, Any], param: str) -> Any:
    match source.get("type"):
        case "base64":
            place = f"{param}.data"
            content = attachments.decoded_data(string(source.get("data"), place), place)
            media_type = string(source.get("media_type", attachments.PDF), f"{param}.media_type").lower()
            return attachments.document_source(InlineData(media_type, content.data, content.raw), place)
        case "text":
            return _text(string(source.get("data"), f"{param}.data"), f"{param}.data")
        case "content":
            return _text(texts(source.get("content"), f"{param}.content"), f"{param}.content")
        case "url":
            return attachments.web_address(string(source.get("url"), f"{param}.url"), f"{param}.url")
        case kind:
            raise invalid(f"{param}.type", f"must be base64, text, content or url, not {shown(kind)}")


def _text(text: str, param: str) -> TextSource:
    if not text.strip():
        raise invalid(param, "holds no text")
    return TextSource(text)
