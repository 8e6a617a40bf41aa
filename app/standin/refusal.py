"""A request the API would refuse, and the shape checks whose wording is the API's own (that of pydantic)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any


class Refusal(Exception):
    """The answer to a request that is not valid: an HTTP `status`, the API's error `type` and its `message`."""

    def __init__(self, status: int, type: str, message: str) -> None:  # noqa: A002 - the API's word
        super().__init__(message)
        self.status = status
        self.type = type
        self.message = message


def invalid(message: str) -> Refusal:
    """Return the refusal of a bad body: 400 with `message`."""
    return Refusal(400, "invalid_request_error", message)


def join(where: str, *steps: str | int) -> str:
    """Return the dotted place of something inside `where`, as error messages name it."""
    return ".".join(str(step) for step in (where, *steps) if step != "")


def mapping(
    value: Any, where: str, known: Collection[str] | None = None, required: Iterable[str] = ()
) -> dict[str, Any]:
    """Return `value` if it is an object with every `required` key and, when `known` is given, no other than those."""
    if not isinstance(value, dict):
        raise invalid(f"{where}: Input should be a valid dictionary")
    for key in required:
        if key not in value:
            raise invalid(f"{join(where, key)}: Field required")
    for key in value:
        if known is not None and key not in known:
            raise invalid(f"{join(where, key)}: Extra inputs are not permitted")
    return value


def listing(value: Any, where: str) -> list[Any]:
    """Return `value` if it is a list."""
    if not isinstance(value, list):
        raise invalid(f"{where}: Input should be a valid list")
    return value


def string(value: Any, where: str, pattern: str | None = None) -> str:
    """Return `value` if it is a string, and one that `pattern` matches."""
    if not isinstance(value, str):
        raise invalid(f"{where}: Input should be a valid string")
    if pattern is not None and not re.search(pattern.replace("$", r"\Z"), value):
        raise invalid(f"{where}: String should match pattern '{pattern}'")
    return value


def integer(value: Any, where: str, least: int) -> int:
    """Return `value` if it is an integer of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(f"{where}: Input should be a valid integer")
    if value < least:
        raise invalid(f"{where}: Input should be greater than or equal to {least}")
    return value


def boolean(value: Any, where: str) -> bool:
    """Return `value` if it is true or false."""
    if not isinstance(value, bool):
        raise invalid(f"{where}: Input should be a valid boolean")
    return value


def fraction(value: Any, where: str) -> float:
    """Return `value` if it is a number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise invalid(f"{where}: Input should be a valid number")
    if not 0 <= value <= 1:
        raise invalid(f"{where}: range: 0..1")
    return value


def tag(value: Any, where: str, expected: Collection[str]) -> str:
    """Return the `type` of the object `value` if it is one of `expected`."""
    found = mapping(value, where, required=["type"])["type"]
    if not isinstance(found, str) or found not in expected:
        names = ", ".join(f"'{name}'" for name in sorted(expected))
        raise invalid(
            f"{where}: Input tag '{found}' found using 'type' does not match any of the expected tags: {names}"
        )
    return found
