"""Documents in a message: files in base64, or at an address, become document blocks.

https://docs.claude.com/en/docs/build-with-claude/pdf-support
"""

from __future__ import annotations

from typing import Any

from app.conversation import Base64Source, DocumentBlock, TextSource
from app.dialects import data_url
from app.dialects.data_url import InlineData
from app.dialects.fields import invalid, shown, string
from app.dialects.images import web_address

PDF = "application/pdf"
PDF_START = b"%PDF"
# Text under another name; everything under text/ is text too.
TEXTS = ("application/json", "application/xml", "application/yaml", "application/x-yaml")
# What clients write when they do not know.
UNKNOWN = ("", "application/octet-stream")
LONGEST_TITLE = 500


def document(file: dict[str, Any], param: str) -> DocumentBlock:
    """Return the document of a file, a PDF or a text; its file name becomes the title.

    A PDF at a `file_url` is fetched by the API, never here. Raises BadRequest naming the field.
    """
    if file.get("file_id") is not None:
        raise invalid(f"{param}.file_id", "is not supported: nothing is stored here; send the file in file_data")
    name = file.get("filename")
    title = None if name is None else string(name, f"{param}.filename").strip()[:LONGEST_TITLE]
    if file.get("file_url") is not None and file.get("file_data") is None:
        place = f"{param}.file_url"
        return DocumentBlock(web_address(string(file["file_url"], place), place), title or None)
    place = f"{param}.file_data"
    return DocumentBlock(source(data_url.read(string(file.get("file_data"), place), place), place), title or None)


def source(content: InlineData, param: str) -> Base64Source | TextSource:
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
