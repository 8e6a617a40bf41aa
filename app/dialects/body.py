"""A request body becomes fields, and fields a struct, or an error that names the field."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec

from app.dialects.fields import DEEPEST, is_deep
from app.errors import BadRequest

# Pairs are many and whole; this looks for the beginning of a pair without its end, or the reverse.
LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
MALFORMED = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")

Request = TypeVar("Request", bound=msgspec.Struct)


def decoded(body: bytes) -> dict[str, Any]:
    """Return the fields that are not null. Raises BadRequest."""
    if not body.strip():
        raise BadRequest("The request body is empty; send JSON.")
    try:
        fields = msgspec.json.decode(_mended(body) if LONE_SURROGATE.search(body) else body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The request body is not valid JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadRequest("The request body must be a JSON object.")
    if is_deep(fields):
        raise BadRequest(f"The request body is nested deeper than {DEEPEST} levels.")
    return {name: value for name, value in fields.items() if value is not None}


def _mended(body: bytes) -> bytes:
    """Return the body with U+FFFD for each half of a character that JavaScript cut in two."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return body  # not JSON for other reasons, which the caller will find
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


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
