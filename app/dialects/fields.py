"""A client's JSON: a body becomes fields, and each field a value of its kind, or an error that names it.

Each function for a field returns its value or raises BadRequest naming it in `param`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, TypeVar

import msgspec

from app.errors import BadRequest
from app.event_loop import PIECE_LENGTH, pause, pieces

# What OpenAI and the API take as the name of a function.
MAX_FUNCTION_NAME = 128
FUNCTION_NAME = re.compile(rf"[a-zA-Z0-9_-]{{1,{MAX_FUNCTION_NAME}}}")
# No client's data is deeper, and deeper JSON would exhaust the stack of the next function that walks it.
MAX_DEPTH = 200
MAX_QUOTE = 60
# Of messages, and of blocks in one. The API takes 100,000 messages, but a million tokens leave 50 to each of 20,000.
MAX_ENTRIES = 20_000


def invalid(param: str, text: str) -> BadRequest:
    """Return the error for a field; `text` goes on after its name."""
    return BadRequest(f"{param} {text}", param=param, code="invalid_value")


def mapping(value: Any, param: str) -> dict[str, Any]:
    """Return an object."""
    if not isinstance(value, dict):
        raise invalid(param, "must be an object")
    return value


def array(value: Any, param: str) -> list[Any]:
    """Return an array, an empty one for null."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid(param, "must be an array")
    return value


def paced(entries: list[Any], param: str) -> Iterator[tuple[int, Any]]:
    """Yield the entries of messages, items or blocks with their places, and let others go on between them.

    Raises BadRequest naming `param` where there are too many.
    """
    if len(entries) > MAX_ENTRIES:
        raise invalid(param, f"has more than {MAX_ENTRIES:,} entries")
    for place in enumerate(entries):
        pause()
        yield place


def string(value: Any, param: str) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise invalid(param, "must be a string")
    return value


def one_of(value: Any, known: Collection[str], param: str) -> str:
    """Return one of the `known` words."""
    if not isinstance(value, str) or value not in known:
        raise invalid(param, f"must be one of {', '.join(known)}, not {shown(value)}")
    return value


def function_name(value: Any, param: str) -> str:
    """Return the name of a function."""
    if not isinstance(value, str) or not FUNCTION_NAME.fullmatch(value):
        raise invalid(param, f"must be 1 to {MAX_FUNCTION_NAME} letters, digits, _ or -")
    return value


def shown(value: Any) -> str:
    """Return a value as an error may quote it: short."""
    if isinstance(value, str):
        value = value[: MAX_QUOTE + 1]
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE]}..."


def is_deep(value: Any) -> bool:
    """Return whether JSON is nested deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
            below += [child for child in inner if isinstance(child, dict | list)]
            pause()
        if not below:
            return False
        level = below
    return True


# Values of one body: objects, arrays and whatever stands between commas. 265 tools of 500 values are 132,500; decoding
# takes 0.1 us for each, and memory 60 to 100 bytes.
MAX_VALUES = 500_000
# Escape sequences of one body; decoding takes 15 ns for each. 31 MB of nothing but escaped Chinese is 5.4 million.
MAX_ESCAPES = 6_000_000

_STRUCTURE = re.compile(rb'["\[\]{},]')
_COLON = re.compile(rb"[ \t\r\n]*:")
MAX_FIELD_NAME = 64


def excessive_field(text: bytes, most: int = MAX_VALUES) -> str | None:
    """Return the field of the outermost object at which a JSON text has more than `most` values, None for fewer.

    It is empty where the text is no object, or no JSON.
    """
    # Commas in texts count here too, but most bodies have few enough of both.
    bound = sum(piece.count(b",") + piece.count(b"[") + piece.count(b"{") for piece in pieces(text))
    return None if bound <= most else _walked(text, most)


def _walked(text: bytes, most: int, *, escapes: bool = False) -> str | None:
    # Counts values, or escape sequences.
    place = depth = number = 0
    name = b""
    while (found := _STRUCTURE.search(text, place)) is not None:
        pause()
        place = found.end()
        match found[0]:
            case b'"':
                start, place = place, _end_of_string(text, place)
                if depth == 1 and _COLON.match(text, place):
                    name = text[start : min(place - 1, start + MAX_FIELD_NAME)]
                if escapes:
                    number += text.count(b"\\", start, place)
            case b"[" | b"{":
                depth += 1
                number += not escapes
            case b"]" | b"}":
                depth -= 1
            case _:
                number += not escapes
        if number > most:
            return name.decode(errors="replace")
    return None


def _end_of_string(text: bytes, start: int) -> int:
    """Return the place behind the quote that ends the string whose first character is at `start`."""
    end = start
    while (end := text.find(b'"', end) + 1) > 0:
        pause()
        escapes = end - 1
        while escapes > start and text[escapes - 1] == ord("\\"):
            escapes -= 1
            pause()
        if (end - 1 - escapes) % 2 == 0:
            return end
    return len(text)


# Halves of surrogate pairs, which JavaScript leaves where it cuts a text.
LONE_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|[c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][0-9a-fA-F]{3}))"
)
# How far behind an escape sequence the pattern looks.
LOOK_AHEAD = 10
MAX_HALVES = 10_000
MALFORMED = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
# Far more than any dialect knows.
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
        raise BadRequest(f"The request body is nested deeper than {MAX_DEPTH} levels.")
    return {name: value for name, value in fields.items() if value is not None}


def _check_size(body: bytes) -> None:
    if sum(piece.count(b"\\") for piece in pieces(body)) > MAX_ESCAPES:
        field = _walked(body, MAX_ESCAPES, escapes=True)
        if field:
            raise invalid(field, f"has too much in it: a request may hold {MAX_ESCAPES:,} escape sequences")
        raise BadRequest(f"The request body has more than {MAX_ESCAPES:,} escape sequences.")
    field = excessive_field(body)
    if field:
        raise invalid(field, f"has too much in it: a request may hold {MAX_VALUES:,} values")
    if field is not None:
        raise BadRequest(f"The request body holds more than {MAX_VALUES:,} values.")


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
    for start in range(0, len(text), PIECE_LENGTH):
        end = start + PIECE_LENGTH
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
