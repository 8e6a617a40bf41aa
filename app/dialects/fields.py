"""Reading untyped JSON: each function returns a value of its kind or raises BadRequest naming the field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from app.errors import BadRequest
from app.event_loop import pause

# What OpenAI and the API take as the name of a function.
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Deeper JSON than this is nobody's data, and would exhaust the stack of whatever walks it next.
DEEPEST = 200
LONGEST_QUOTE = 60
# Of messages, and of blocks in one. The real API takes 100,000 messages; in a million tokens so many have 50 each.
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
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise invalid(param, "must be 1 to 128 letters, digits, _ or -")
    return value


def shown(value: Any) -> str:
    """Return a value as an error may quote it: short."""
    if isinstance(value, str):
        value = value[: LONGEST_QUOTE + 1]
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def is_deep(value: Any) -> bool:
    """Return whether JSON is nested deeper than DEEPEST."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for node in level:
            inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
            below += [child for child in inner if isinstance(child, dict | list)]
            pause()
        if not below:
            return False
        level = below
    return True
