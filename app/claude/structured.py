"""The answer that must satisfy a JSON Schema."""

from __future__ import annotations

from typing import Any

import msgspec

from app import schema_check
from app.claude.protocol import Result
from app.errors import SchemaUnsatisfied
from app.events import Event, TextDelta


def content(result: Result, stop_reason: str, schema: dict[str, Any]) -> list[Event]:
    """Return the object of a finished turn as text, or the model's words where it refused.

    It is checked here once more, since not every version of the CLI checks every keyword. Raises SchemaUnsatisfied.
    """
    raw = bytes(result.structured_output)
    if stop_reason == "refusal":
        return [TextDelta(msgspec.json.encode(result.result or ""))]
    if not raw or raw == b"null":
        raise SchemaUnsatisfied("The model gave no answer in the form of response_format.")
    try:
        place = schema_check.mismatch(schema, raw)
    except schema_check.CheckFailed as error:
        raise SchemaUnsatisfied(f"The model's answer to response_format {error}.") from None
    if place is not None:
        raise SchemaUnsatisfied(f"The model's answer does not satisfy response_format at {place}.")
    return [TextDelta(msgspec.json.encode(raw.decode()))]
