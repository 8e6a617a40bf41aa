"""Where an image's or a document's data comes from, and whether it is what it says."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from app.standin import refusal

# The API measures the base64 text, not the bytes it stands for.
MAX_IMAGE_BYTES = 5 * 1024 * 1024


def check_image(source: Any, where: str) -> None:
    """Raise Refusal unless `source` is a png, jpeg, gif or webp in base64 that is really one, or an http(s) address."""
    kind = refusal.tag(source, where, {"base64", "url"})
    place = refusal.join(where, kind)
    if kind == "url":
        _check_url(source, place)
        return
    value = refusal.mapping(source, place, {"type", "media_type", "data"}, ["media_type", "data"])
    media = value["media_type"]
    if media not in ("image/jpeg", "image/png", "image/gif", "image/webp"):
        raise refusal.invalid(
            f"{place}.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
        )
    text = refusal.string(value["data"], f"{place}.data")
    if len(text) > MAX_IMAGE_BYTES:
        raise refusal.invalid(f"{place}: image exceeds 5 MB maximum: {len(text)} bytes > {MAX_IMAGE_BYTES} bytes")
    found = _media_type(_decoded(text, f"{place}.data"))
    if found is None:
        raise refusal.invalid(f"{place}: Could not process image")
    if found != media:
        raise refusal.invalid(
            f"{place}: The image was specified using the {media} media type, "
            f"but the image appears to be a {found} image"
        )


def check_document(source: Any, where: str) -> None:
    """Raise Refusal unless `source` is a PDF in base64, plain text, a list of blocks, or an http(s) address."""
    kind = refusal.tag(source, where, {"base64", "content", "text", "url"})
    place = refusal.join(where, kind)
    if kind == "url":
        _check_url(source, place)
    elif kind == "content":
        refusal.mapping(source, place, {"type", "content"}, ["content"])
    else:
        value = refusal.mapping(source, place, {"type", "media_type", "data"}, ["media_type", "data"])
        media = "application/pdf" if kind == "base64" else "text/plain"
        if value["media_type"] != media:
            raise refusal.invalid(f"{place}.media_type: Input should be '{media}'")
        text = refusal.string(value["data"], f"{place}.data")
        if kind == "base64" and not _decoded(text, f"{place}.data").startswith(b"%PDF"):
            raise refusal.invalid(f"{place}: The PDF specified was not valid.")


def _check_url(source: Any, place: str) -> None:
    value = refusal.mapping(source, place, {"type", "url"}, ["url"])
    if not refusal.string(value["url"], f"{place}.url").startswith(("http://", "https://")):
        raise refusal.invalid(f"{place}.url: Only HTTP and HTTPS URLs are supported.")


def _decoded(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise refusal.invalid(f"{where}: Invalid base64 data") from None


def _media_type(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None
