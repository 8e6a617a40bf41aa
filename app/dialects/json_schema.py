"""Whether a JSON Schema can be used: valid, about an object, complete in itself, and not too large."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from app import schema_check
from app.dialects.fields import invalid, mapping, shown
from app.dialects.schema_size import excess

LONGEST_REASON = 200
# What the API checks a tool's schema against, whatever the schema itself says.
DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def object_schema(value: Any, param: str) -> dict[str, Any]:
    """Return a schema (draft 2020-12) whose top is an object, which a schema without `type` is taken to mean.

    Its patterns are left to the API. Raises BadRequest.
    """
    schema = {"type": "object", **mapping(value, param)}
    if schema["type"] != "object":
        raise invalid(f"{param}.type", f"must be 'object', not {shown(schema['type'])}")
    if reason := excess(schema):
        raise invalid(param, reason)
    problem = _problem(schema)
    if problem is not None:
        raise invalid(param, f"is not a valid JSON Schema (draft 2020-12): {problem}")
    return schema


def answerable(schema: Any, param: str) -> dict[str, Any]:
    """Return a schema that an answer can be checked against, that of any object for null. Raises BadRequest."""
    found = object_schema({} if schema is None else schema, param)
    try:
        problem = schema_check.problem(found)
    except schema_check.CheckFailed as error:
        raise invalid(param, str(error)) from None
    if problem is not None:
        raise invalid(param, f"is no JSON Schema that answers can be checked against: {problem}")
    return found


def _problem(schema: dict[str, Any]) -> str | None:
    # Here rather than beside the event loop: no reference is followed and no pattern compiled, so that it takes
    # 1 ms for 5,000 nodes, and `excess` has counted them.
    try:
        jsonschema_rs.meta.validate(schema | DRAFT)
    except jsonschema_rs.ValidationError as error:
        return f"{schema_check.path(error.instance_path)}: {error.message[:LONGEST_REASON]}"
    except ValueError as error:  # nested too deeply, or a number beyond all bounds
        return str(error)[:LONGEST_REASON]
    return None
