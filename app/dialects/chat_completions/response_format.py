"""The form the whole answer must have: `response_format` becomes a JSON Schema of an object."""

from __future__ import annotations

from typing import Any

from app.dialects.chat_completions.json_schema import check_answerable, object_schema
from app.dialects.fields import function_name, mapping, one_of, string

PARAM = "response_format"
KINDS = ("text", "json_object", "json_schema")


def answer_schema(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the schema of the answer, None for text. Raises BadRequest naming the field.

    Like OpenAI's, the schema must be about an object; `strict` has no effect, as every answer is checked.
    """
    if given is None:
        return None
    kind = one_of(given.get("type"), KINDS, f"{PARAM}.type")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    place = f"{PARAM}.json_schema"
    wanted = mapping(given.get("json_schema"), place)
    if wanted.get("name") is not None:
        function_name(wanted["name"], f"{place}.name")
    schema = wanted.get("schema")
    schema = object_schema({} if schema is None else schema, f"{place}.schema")
    check_answerable(schema, f"{place}.schema")
    description = wanted.get("description")
    if description is not None and string(description, f"{place}.description"):
        schema.setdefault("description", description)  # where the model can read it
    return schema
