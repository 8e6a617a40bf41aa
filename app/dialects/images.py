"""Pictures in a message: as data in base64, or at an address.

https://docs.claude.com/en/docs/build-with-claude/vision
"""

from __future__ import annotations

import re
import urllib.parse

from app.conversation import Base64Source, ImageBlock, UrlSource
from app.dialects import data_url
from app.dialects.data_url import InlineData
from app.dialects.fields import invalid, shown

# The API counts the base64 text, not the bytes it stands for, and the pictures of the whole request.
LARGEST = 5 * 1024 * 1024
MOST = 100
KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
SPELLINGS = {"image/jpg": "image/jpeg"}
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


def of_url(url: str, param: str) -> ImageBlock:
    """Return the picture of a `data:` URL, or of an http(s) address. Raises BadRequest naming `param`.

    An address is handed on for the API to fetch; nothing is fetched here.
    """
    if not data_url.is_data_url(url):
        return at_address(url, param)
    _check_size(len(url) - url.find(",") - 1, param)
    return _inline(data_url.read(url, param), param)


def of_data(media_type: str, data: str, param: str) -> ImageBlock:
    """Return the picture of a base64 text. Raises BadRequest naming `param`."""
    _check_size(len(data), param)
    content = data_url.decoded(data, param)
    return _inline(InlineData(media_type.lower(), content.data, content.raw), param)


def at_address(url: str, param: str) -> ImageBlock:
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
    if length > LARGEST:
        raise invalid(param, f"exceeds the maximum of {LARGEST} bytes for a picture in base64")


def _inline(content: InlineData, param: str) -> ImageBlock:
    declared = SPELLINGS.get(content.media_type, content.media_type)
    if declared not in KINDS:
        raise invalid(param, f"must hold {', '.join(KINDS)}, not {shown(content.media_type)}")
    # Names of files mislead clients, and the API refuses a picture by another name than its data's.
    found = _kind(content.raw)
    if found is None:
        raise invalid(param, f"is declared as {declared}, but its data is none of {', '.join(KINDS)}")
    return ImageBlock(Base64Source(found, content.data))


def _kind(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None
