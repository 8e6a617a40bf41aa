"""Tool definitions, and the choice between them."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import jsonschema_rs

from app.standin import content, refusal

KEYS = {
    "type",
    "name",
    "description",
    "input_schema",
    "cache_control",
    "strict",
    "defer_loading",
    "eager_input_streaming",
    "allowed_callers",
    "input_examples",
}
# What may be the name of a property at the top of an input.
PROPERTY = "^[a-zA-Z0-9_.-]{1,64}$"
COMBINED = ("oneOf", "allOf", "anyOf")
# Tools the API runs itself are named by a dated type, `web_search_20250305`.
SERVER_TOOL = re.compile(r"[a-z_]+_\d{8}")


def check(tools: Any) -> list[str]:
    """Return the names of `tools`; raise Refusal unless each is a good definition and no name comes twice."""
    names: list[str] = []
    for index, tool in enumerate(refusal.listing(tools, "tools")):
        place = f"tools.{index}"
        kind = refusal.mapping(tool, place).get("type", "custom")
        if isinstance(kind, str) and SERVER_TOOL.fullmatch(kind):
            names.append(refusal.string(refusal.mapping(tool, place, required=["name"])["name"], f"{place}.name"))
        elif kind != "custom":
            refusal.tag(tool, place, {"custom"})
        else:
            names.append(_check_custom(tool, f"{place}.custom"))
    if len(set(names)) != len(names):
        raise refusal.invalid("tools: Tool names must be unique.")
    return names


def check_choice(choice: Any, names: list[str], *, thinking: bool) -> None:
    """Raise Refusal unless `choice` is auto, any, none or one of `names`; forcing a call does not go with thinking."""
    kind = refusal.tag(choice, "tool_choice", {"auto", "any", "tool", "none"})
    known = {"type"} if kind == "none" else {"type", "disable_parallel_tool_use"}
    place = f"tool_choice.{kind}"
    if kind == "tool":
        value = refusal.mapping(choice, place, {*known, "name"}, ["name"])
        if refusal.string(value["name"], f"{place}.name") not in names:
            raise refusal.invalid(f"Tool '{value['name']}' not found in provided tools")
    refusal.mapping(choice, place, {*known, "name"} if kind == "tool" else known)
    refusal.boolean(choice.get("disable_parallel_tool_use", False), f"{place}.disable_parallel_tool_use")
    if thinking and kind in ("any", "tool"):
        raise refusal.invalid("Thinking may not be enabled when tool_choice forces tool use.")
    if kind == "any" and not names:
        raise refusal.invalid("tool_choice: tools must be given when tool_choice is any")


def _check_custom(tool: dict[str, Any], place: str) -> str:
    refusal.mapping(tool, place, KEYS, ["name", "input_schema"])
    name = refusal.string(tool["name"], f"{place}.name", content.NAME)
    if "description" in tool:
        refusal.string(tool["description"], f"{place}.description")
    if tool.get("cache_control") is not None:
        content.check_cache_control(tool["cache_control"], f"{place}.cache_control")
    schema = refusal.mapping(tool["input_schema"], f"{place}.input_schema", required=["type"])
    if schema["type"] != "object":
        raise refusal.invalid(f"{place}.input_schema.type: Input should be 'object'")
    if any(word in schema for word in COMBINED):
        raise refusal.invalid(
            f"{place}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
        )
    problem = _schema_problem(json.dumps(schema, sort_keys=True))
    if problem is not None:
        raise refusal.invalid(
            f"{place}.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12 "
            f"(https://json-schema.org/draft/2020-12). {problem}"
        )
    for key in schema.get("properties", {}):
        if not re.fullmatch(PROPERTY, key):
            raise refusal.invalid(f"{place}.input_schema.properties: Property keys should match pattern '{PROPERTY}'")
    return name


@functools.lru_cache(maxsize=512)
def _schema_problem(schema: str) -> str | None:
    # A test asks with the same few dozen schemas over and over, and one check takes a millisecond.
    try:
        jsonschema_rs.meta.validate({**json.loads(schema), "$schema": "https://json-schema.org/draft/2020-12/schema"})
    except jsonschema_rs.ValidationError as error:
        return str(error.message)
    return None
