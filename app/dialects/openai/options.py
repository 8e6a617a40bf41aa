"""Parameters that mean the same at every endpoint."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from app.dialects.fields import invalid, string

# How many answers may be asked for at once, each of which is a turn.
MOST_ANSWERS = 8
# No model comes near; larger numbers would mean nothing but trouble for whoever counts in 32 bits.
MOST_TOKENS = 2**31 - 1
MOST_STOPS = 16

Answers = Annotated[int, msgspec.Meta(ge=1, le=MOST_ANSWERS)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
TopP = Annotated[float, msgspec.Meta(ge=0, le=1)]


class StreamOptions(msgspec.Struct):
    """How a stream ends."""

    include_usage: bool | None = None


def stops(given: Any) -> tuple[str, ...]:
    """Return the texts of `stop` that end an answer, empty ones left out. Raises BadRequest naming the text."""
    if given is None:
        return ()
    if isinstance(given, str):
        return (given,) if given else ()
    if not isinstance(given, list):
        raise invalid("stop", "must be a string or an array of strings")
    texts = [string(stop, f"stop[{index}]") for index, stop in enumerate(given)]
    if len(texts) > MOST_STOPS:
        raise invalid("stop", f"must hold at most {MOST_STOPS} strings, not {len(texts)}")
    return tuple(filter(None, texts))
