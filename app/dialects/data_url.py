"""Data inside a request: `data:` URLs and bare base64."""

from __future__ import annotations

import base64
import binascii

import msgspec

from app.dialects.fields import invalid
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


def read(text: str, param: str) -> InlineData:
    """Return what a `data:` URL, or a bare base64 text, holds. Raises BadRequest naming `param`."""
    media_type, payload = "", text
    if is_data_url(text):
        header, comma, payload = text[len(SCHEME) :].partition(",")
        media_type, *attributes = (word.strip().lower() for word in header.split(";"))
        if not comma or "base64" not in attributes:
            raise invalid(param, "must be a data: URL in base64, such as data:image/png;base64,iVBOR...")
    content = decoded(payload, param)
    return InlineData(media_type, content.data, content.raw)


def decoded(text: str, param: str) -> InlineData:
    """Return what a base64 text holds, white space in it aside. Raises BadRequest naming `param`."""
    data = "".join("".join(piece.split()) for piece in pieces(text))
    try:
        raw = b"".join(base64.b64decode(piece, validate=True) for piece in pieces(data))
    except (binascii.Error, ValueError):
        raise invalid(param, "is not valid base64") from None
    if not raw:
        raise invalid(param, "holds no data")
    return InlineData("", data, raw)
