"""The texts that end an answer."""

from __future__ import annotations

from typing import Any

from app.dialects.fields import invalid, string

MOST_STOPS = 16
# Of one, in characters: each piece of an answer is compared with the beginnings of all.
MAX_STOP = 500


def stops(given: Any, param: str = "stop") -> tuple[str, ...]:
    """Return the texts that end an answer, empty ones left out. Raises BadRequest naming the text."""
    if given is None:
        return ()
    if isinstance(given, str):
        return (_stop(given, param),) if given else ()
    if not isinstance(given, list):
        raise invalid(param, "must be a string or an array of strings")
    if len(given) > MOST_STOPS:
        raise invalid(param, f"must hold at most {MOST_STOPS} strings, not {len(given)}")
    return tuple(filter(None, (_stop(stop, f"{param}[{index}]") for index, stop in enumerate(given))))


def _stop(given: Any, param: str) -> str:
    if len(stop := string(given, param)) > MAX_STOP:
        raise invalid(param, f"must have at most {MAX_STOP} characters")
    return stop
