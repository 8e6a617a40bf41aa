"""Pictures in a message: `image_url` parts become image blocks.

https://docs.claude.com/en/docs/build-with-claude/vision
"""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

from app.conversation import Base64Source, ImageBlock, UrlSource
from app.dialects.chat_completions import data_url
from app.dialects.fields import invalid, mapping, shown, string

# The API counts the base64 text, not the bytes it stands for, and the pictures of the whole request.
LARGEST = 5 * 1024 * 1024
MOST = 100
KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
SPELLINGS = {"image/jpg": "image/jpeg"}
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


def image(part: dict[str, Any], param: str) -> ImageBlock:
    """Return the picture of an `image_url` part; `detail` has no effect. Raises BadRequest naming the field.

    An http(s) address is handed on for the API to fetch; nothing is fetched here.
    """
    place = f"{param}.image_url"
    given = part.get("image_url")
    if isinstance(given, str):
        url = given  # several clients leave out the object around it
    else:
        place, url = f"{place}.url", string(mapping(given, place).get("url"), f"{place}.url")
    return ImageBlock(_inline(url, place) if data_url.is_data_url(url) else _address(url, place))


def _inline(url: str, param: str) -> Base64Source:
    if len(url) - url.find(",") - 1 > LARGEST:
        raise invalid(param, f"exceeds the maximum of {LARGEST} bytes for a picture in base64")
    content = data_url.read(url, param)
    declared = SPELLINGS.get(content.media_type, content.media_type)
    if declared not in KINDS:
        raise invalid(param, f"must hold {', '.join(KINDS)}, not {shown(content.media_type)}")
    found = _kind(content.raw)
    if found is None:
        raise invalid(param, f"is declared as {declared}, but its data is none of {', '.join(KINDS)}")
    if found != declared:
        raise invalid(param, f"is declared as {declared}, but its data is {found}")
    return Base64Source(declared, content.data)


def _address(url: str, param: str) -> UrlSource:
    try:
        parsed = urllib.parse.urlsplit(url)
        usable = parsed.scheme in ("http", "https") and parsed.hostname is not None
    except ValueError:
        usable = False
    if not usable or UNPRINTABLE.search(url):
        raise invalid(param, f"must be a data:, http: or https: URL, not {shown(url)}")
    return UrlSource(url)


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
