"""The answer that must satisfy a JSON Schema."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec
import referencing
import referencing.exceptions

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
        # An empty registry: a `$ref` to an address must not make this server fetch it.
        jsonschema.Draft202012Validator(schema, registry=referencing.Registry()).validate(msgspec.json.decode(raw))
    except jsonschema.ValidationError as error:
        place = error.json_path
        raise SchemaUnsatisfied(f"The model's answer does not satisfy response_format at {place}.") from None
    except (jsonschema.SchemaError, referencing.exceptions.Unresolvable, RecursionError) as error:
        raise SchemaUnsatisfied("The schema in response_format cannot be checked.") from error
    return [TextDelta(msgspec.json.encode(raw.decode()))]
