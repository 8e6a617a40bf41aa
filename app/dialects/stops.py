"""The texts that end an answer."""

from __future__ import annotations

from typing import Any

from app.dialects.fields import invalid, string

MOST_STOPS = 16


def stops(given: Any, param: str = "stop") -> tuple[str, ...]:
    """Return the texts that end an answer, empty ones left out. Raises BadRequest naming the text."""
    if given is None:
        return ()
    if isinstance(given, str):
        return (given,) if given else ()
    if not isinstance(given, list):
        raise invalid(param, "must be a string or an array of strings")
    texts = [string(stop, f"{param}[{index}]") for index, stop in enumerate(given)]
    if len(texts) > MOST_STOPS:
        raise invalid(param, f"must hold at most {MOST_STOPS} strings, not {len(texts)}")
    return tuple(filter(None, texts))
