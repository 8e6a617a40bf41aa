"""The form the whole answer must have, as a JSON Schema of an object."""

from __future__ import annotations

from typing import Any

from app.dialects.fields import function_name, mapping, one_of, string
from app.dialects.json_schema import answerable

KINDS = ("text", "json_object", "json_schema")


def answer_schema(given: dict[str, Any] | None, param: str, inner: str = "") -> dict[str, Any] | None:
    """Return the schema of the answer, None for text; its description stands in the field `inner`, if that is named.

    Like OpenAI's, the schema must be about an object; `strict` has no effect, as every answer is checked.
    Raises BadRequest naming the field.
    """
    if given is None:
        return None
    kind = one_of(given.get("type"), KINDS, f"{param}.type")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    place = f"{param}.{inner}" if inner else param
    wanted = mapping(given.get(inner), place) if inner else given
    if wanted.get("name") is not None:
        function_name(wanted["name"], f"{place}.name")
    schema = answerable(wanted.get("schema"), f"{place}.schema")
    description = wanted.get("description")
    if description is not None and string(description, f"{place}.description"):
        schema.setdefault("description", description)  # where the model can read it
    return schema
