"""How much there is in a JSON text, counted before it is decoded in one call, while nothing else runs."""

from __future__ import annotations

import re

from app.event_loop import pause, pieces

# Values of one body: objects, arrays and whatever stands between commas. 265 tools of 500 values are 132,500; decoding
# takes 0.1 us for each, and memory 60 to 100 bytes.
MAX_VALUES = 500_000
# Escape sequences of one body; decoding takes 15 ns for each. 31 MB of nothing but escaped Chinese is 5.4 million.
MAX_ESCAPES = 6_000_000

_STRUCTURE = re.compile(rb'["\[\]{},]')
_COLON = re.compile(rb"[ \t\r\n]*:")
LONGEST_NAME = 64


def has_many_escapes(text: bytes) -> bool:
    """Tell whether a JSON text has more escape sequences than it may."""
    return sum(piece.count(b"\\") for piece in pieces(text)) > MAX_ESCAPES


def excessive_field(text: bytes, most: int = MAX_VALUES) -> str | None:
    """Return the field of the outermost object at which a JSON text has more than `most` values, None for fewer.

    It is empty where the text is no object, or no JSON.
    """
    # Commas in texts are no values; but most bodies have few enough of both.
    bound = sum(piece.count(b",") + piece.count(b"[") + piece.count(b"{") for piece in pieces(text))
    return None if bound <= most else _walked(text, most)


def _walked(text: bytes, most: int) -> str | None:
    place = depth = values = 0
    name = b""
    while (found := _STRUCTURE.search(text, place)) is not None:
        pause()
        place = found.end()
        match found[0]:
            case b'"':
                start, place = place, _end_of_string(text, place)
                if depth == 1 and _COLON.match(text, place):
                    name = text[start : min(place - 1, start + LONGEST_NAME)]
            case b"[" | b"{":
                depth += 1
                values += 1
            case b"]" | b"}":
                depth -= 1
            case _:
                values += 1
        if values > most:
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
        if (end - 1 - escapes) % 2 == 0:
            return end
    return len(text)
