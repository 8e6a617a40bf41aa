"""Words of JSON Schema that dialects describe their bodies and answers with, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from app.dialects.fields import FUNCTION_NAME as NAME

STRING: dict[str, Any] = {"type": "string"}
FUNCTION_NAME = {"type": "string", "pattern": f"^{NAME.pattern}$"}
NULL = {"type": "null"}
OBJECT = {"type": "object"}
NULLABLE_STRING = {"type": ["string", "null"]}
NUMBER = {"type": "integer", "minimum": 0}
MODEL = {"type": "string", "pattern": r"\S", "examples": ["claude-sonnet-4"]}


def array(items: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an array of such items."""
    return {"type": "array", "items": items}


def closed(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object that always has these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def ref(name: str) -> dict[str, Any]:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}
