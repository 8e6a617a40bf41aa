"""Pictures and documents in a message: as data in base64, or at an address that the API fetches.

https://docs.claude.com/en/docs/build-with-claude/vision
https://docs.claude.com/en/docs/build-with-claude/pdf-support
"""

from __future__ import annotations

import base64
import binascii
import re
import urllib.parse
from typing import Any

import msgspec

from app.conversation import Base64Source, DocumentBlock, ImageBlock, TextSource, UrlSource
from app.dialects.fields import invalid, shown, string
from app.event_loop import pieces

SCHEME = "data:"


class InlineData(msgspec.Struct, frozen=True):
    """Bytes, their base64 text without white space, and their declared media type, "" when there was none."""

    media_type: str
    data: str
    raw: bytes


def is_data_url(text: str) -> bool:
    """Return whether a text is a `data:` URL."""
    return text[: len(SCHEME)].lower() == SCHEME


def read_data(text: str, param: str) -> InlineData:
    """Return what a `data:` URL, or a bare base64 text, holds. Raises BadRequest naming `param`."""
    media_type, payload = "", text
    if is_data_url(text):
        header, comma, payload = text[len(SCHEME) :].partition(",")
        media_type, *attributes = (word.strip().lower() for word in header.split(";"))
        if not comma or "base64" not in attributes:
            raise invalid(param, "must be a data: URL in base64, such as data:image/png;base64,iVBOR...")
    content = decoded_data(payload, param)
    return InlineData(media_type, content.data, content.raw)


def decoded_data(text: str, param: str) -> InlineData:
    """Return what a base64 text holds, white space in it aside. Raises BadRequest naming `param`."""
    data = "".join("".join(piece.split()) for piece in pieces(text))
    try:
        raw = b"".join(base64.b64decode(piece, validate=True) for piece in pieces(data))
    except (binascii.Error, ValueError):
        raise invalid(param, "is not valid base64") from None
    if not raw:
        raise invalid(param, "holds no data")
    return InlineData("", data, raw)


# The API counts the base64 text, not the bytes it stands for, and the pictures of the whole request.
MAX_PICTURE_BYTES = 5 * 1024 * 1024
MAX_PICTURES = 100
PICTURE_KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
SPELLINGS = {"image/jpg": "image/jpeg"}
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


def picture_of_url(url: str, param: str) -> ImageBlock:
    """Return the picture of a `data:` URL, or of an http(s) address. Raises BadRequest naming `param`.

    The API fetches what is at an address; this server never does.
    """
    if not is_data_url(url):
        return picture_at(url, param)
    _check_size(len(url) - url.find(",") - 1, param)
    return _picture(read_data(url, param), param)


def picture_of_data(media_type: str, data: str, param: str) -> ImageBlock:
    """Return the picture of a base64 text. Raises BadRequest naming `param`."""
    _check_size(len(data), param)
    content = decoded_data(data, param)
    return _picture(InlineData(media_type.lower(), content.data, content.raw), param)


def picture_at(url: str, param: str) -> ImageBlock:
    """Return the picture at an http(s) address, which the API fetches. Raises BadRequest naming `param`."""
    return ImageBlock(web_address(url, param, "a data:, http: or https: URL"))


def web_address(url: str, param: str, wanted: str = "an http: or https: URL") -> UrlSource:
    """Return an http(s) address; an error says that `wanted` was expected. Raises BadRequest naming `param`."""
    try:
        parsed = urllib.parse.urlsplit(url)
        usable = parsed.scheme in ("http", "https") and parsed.hostname is not None
    except ValueError:
        usable = False
    if not usable or UNPRINTABLE.search(url):
        raise invalid(param, f"must be {wanted}, not {shown(url)}")
    return UrlSource(url)


def _check_size(length: int, param: str) -> None:
    if length > MAX_PICTURE_BYTES:
        raise invalid(param, f"exceeds the maximum of {MAX_PICTURE_BYTES} bytes for a picture in base64")


def _picture(content: InlineData, param: str) -> ImageBlock:
    declared = SPELLINGS.get(content.media_type, content.media_type)
    if declared not in PICTURE_KINDS:
        raise invalid(param, f"must hold {', '.join(PICTURE_KINDS)}, not {shown(content.media_type)}")
    # Clients guess the type by the file's name, and the API refuses a picture whose type is not that of its data.
    found = _picture_kind(content.raw)
    if found is None:
        raise invalid(param, f"is declared as {declared}, but its data is none of {', '.join(PICTURE_KINDS)}")
    return ImageBlock(Base64Source(found, content.data))


def _picture_kind(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


PDF = "application/pdf"
PDF_START = b"%PDF"
# Text under another name; everything under text/ is text too.
TEXTS = ("application/json", "application/xml", "application/yaml", "application/x-yaml")
# What clients write when they do not know.
UNKNOWN = ("", "application/octet-stream")
MAX_TITLE = 500


def document(file: dict[str, Any], param: str) -> DocumentBlock:
    """Return the document of a file, a PDF or a text; its file name becomes the title.

    A PDF at a `file_url` is fetched by the API, never here. Raises BadRequest naming the field.
    """
    if file.get("file_id") is not None:
        raise invalid(f"{param}.file_id", "is not supported: nothing is stored here; send the file in file_data")
    name = file.get("filename")
    title = None if name is None else string(name, f"{param}.filename").strip()[:MAX_TITLE]
    if file.get("file_url") is not None and file.get("file_data") is None:
        place = f"{param}.file_url"
        return DocumentBlock(web_address(string(file["file_url"], place), place), title or None)
    place = f"{param}.file_data"
    return DocumentBlock(document_source(read_data(string(file.get("file_data"), place), place), place), title or None)


def document_source(content: InlineData, param: str) -> Base64Source | TextSource:
    """Return the source of a document with this content. Raises BadRequest naming `param`."""
    kind = content.media_type
    is_pdf = content.raw.startswith(PDF_START)
    if kind == PDF and not is_pdf:
        raise invalid(param, "is declared as application/pdf, but its data is no PDF")
    if is_pdf and kind in (PDF, *UNKNOWN):
        return Base64Source(PDF, content.data)
    if kind.startswith("text/") or kind in (*TEXTS, *UNKNOWN):
        return TextSource(_text(content.raw, param))
    raise invalid(param, f"must hold application/pdf or text, not {shown(kind)}; send pictures as image_url")


def _text(raw: bytes, param: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise invalid(param, "must be a PDF, or text in UTF-8") from None
    if not text.strip():
        raise invalid(param, "holds no text")
    return text
