"""A finished turn becomes a response object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.dialects.responses.output import Output
from app.events import Event


def finished(batches: Iterable[list[Event]], response: dict[str, Any], *, thinking: bool) -> dict[str, Any]:
    """Read a turn to its end and return what has become of a `response` that had only begun.

    Raises what the turn raises.
    """
    output = Output(response, thinking=thinking, sent=False)
    for batch in batches:
        for event in batch:
            output.feed(event)
    return output.response
