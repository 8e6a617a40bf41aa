"""A finished turn becomes a response object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.dialects.responses.namespaces import NONE, Names
from app.dialects.responses.output import Output
from app.events import Event


def finished(
    batches: Iterable[list[Event]], response: dict[str, Any], names: Names = NONE, *, thinking: bool
) -> dict[str, Any]:
    """Read a turn to its end and return what has become of a `response` that had only begun.

    `names` are those of functions in namespaces. Raises what the turn raises.
    """
    output = Output(response, names, thinking=thinking, sent=False)
    for batch in batches:
        for event in batch:
            output.feed(event)
    return output.response
