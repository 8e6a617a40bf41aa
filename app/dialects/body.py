"""A request body becomes fields, and fields a struct, or an error that names the field."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from app.dialects import json_size
from app.dialects.fields import DEEPEST, invalid, is_deep
from app.errors import BadRequest
from app.event_loop import PIECE, pause

# Halves of characters, which JavaScript leaves where it cuts a text; pairs are whole.
LONE_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|[c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][0-9a-fA-F]{3}))"
)
# How far behind an escape sequence the pattern looks.
LOOK_AHEAD = 10
MAX_HALVES = 10_000
MALFORMED = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
# No dialect knows a hundredth of so many.
MAX_FIELDS = 10_000

Request = TypeVar("Request", bound=msgspec.Struct)


def decoded(body: bytes) -> dict[str, Any]:
    """Return the fields that are not null. Raises BadRequest."""
    if not body or body.isspace():
        raise BadRequest("The request body is empty; send JSON.")
    _check_size(body)
    fields = _decoded(body)
    if not isinstance(fields, dict):
        raise BadRequest("The request body must be a JSON object.")
    if len(fields) > MAX_FIELDS:
        raise BadRequest(f"The request body has more than {MAX_FIELDS} fields.")
    if is_deep(fields):
        raise BadRequest(f"The request body is nested deeper than {DEEPEST} levels.")
    return {name: value for name, value in fields.items() if value is not None}


def _check_size(body: bytes) -> None:
    if json_size.has_many_escapes(body):
        raise BadRequest(f"The request body has more than {json_size.MAX_ESCAPES:,} escape sequences.")
    field = json_size.excessive_field(body)
    if field:
        raise invalid(field, f"has too much in it: a request may hold {json_size.MAX_VALUES:,} values")
    if field is not None:
        raise BadRequest(f"The request body holds more than {json_size.MAX_VALUES:,} values.")


def _decoded(body: bytes) -> Any:
    try:
        pause()
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            mended = _mended(body)
            if mended is None:
                raise error from None
            return msgspec.json.decode(mended)
        finally:
            pause()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The request body is not valid JSON: {error}") from None


def _mended(body: bytes) -> bytes | None:
    """Return the body with U+FFFD for each half of a character that JavaScript cut in two, None where there is none."""
    if b"\0" in body or b"\\u" not in body:
        return None
    # Out of the way, so that what follows a backslash is an escape sequence.
    text = body.replace(b"\\\\", b"\0\0")
    parts: list[bytes] = []
    place = 0
    for start in range(0, len(text), PIECE):
        end = start + PIECE
        for found in LONE_SURROGATE.finditer(text, start, end + LOOK_AHEAD):
            if found.start() >= end:
                break  # the next piece's
            parts += (text[place : found.start()], rb"\ufffd")
            place = found.end()
            if len(parts) > 2 * MAX_HALVES:
                raise BadRequest(f"The request body has more than {MAX_HALVES:,} halves of characters in its texts.")
        pause()
    return b"".join((*parts, text[place:])).replace(b"\0\0", b"\\\\") if parts else None


def checked(fields: dict[str, Any], kind: type[Request]) -> Request:
    """Return the fields as a struct of `kind`. Raises BadRequest with the field in `param`."""
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        place = MALFORMED.search(text)
        if place is not None:
            param = place[1].replace("[...]", "")
            raise BadRequest(f"{param}: {text[: place.start()]}", param=param, code="invalid_value") from None
        missing = re.search(r"required field `(\w+)`", text)
        raise BadRequest(text, param=missing[1] if missing else None, code="missing_required_parameter") from None
