"""Tool definitions and the choice between them."""

from __future__ import annotations

import pytest

from .bodies import request, schema, tool
from .verdicts import assert_accepted, assert_refused

ACCEPTED = {
    "tools": request(tools=[tool(), tool("time", description="", defer_loading=True, strict=True, type="custom")]),
    "a tool of the API's own": request(tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]),
    "a nested schema": schema(
        type="object", properties={"a": {"$ref": "#/$defs/b"}}, **{"$defs": {"b": {"type": "string"}}}
    ),
    "a named tool": request(tools=[tool()], tool_choice={"type": "tool", "name": "weather"}),
    "one call at a time": request(tools=[tool()], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    "any tool": request(tools=[tool()], tool_choice={"type": "any"}),
    "no tool": request(tool_choice={"type": "none"}),
}

REFUSED = {
    "a tool without a schema": (request(tools=[{"name": "x"}]), "tools.0.custom.input_schema: Field required"),
    "a tool without a name": (
        request(tools=[{"input_schema": {"type": "object"}}]),
        "tools.0.custom.name: Field required",
    ),
    "a tool's name with a dot": (
        request(tools=[tool("a.b")]),
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    "a tool's name too long": (request(tools=[tool("a" * 129)]), "tools.0.custom.name: String should match pattern"),
    "a tool with more": (request(tools=[tool(function={})]), "tools.0.custom.function: Extra inputs are not permitted"),
    "a function as OpenAI has it": (request(tools=[{"type": "function"}]), "tools.0: Input tag 'function' found"),
    "two tools of one name": (request(tools=[tool(), tool()]), "tools: Tool names must be unique."),
    "a schema without a type": (schema(properties={}), "tools.0.custom.input_schema.type: Field required"),
    "a schema of a list": (schema(type="array"), "tools.0.custom.input_schema.type: Input should be 'object'"),
    "a schema that is none": (
        schema(type="object", properties={"a": {"type": "text"}}),
        "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12",
    ),
    "a property with a name in brackets": (
        schema(type="object", properties={"filter[id]": {}}),
        "input_schema.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'",
    ),
    "a property with a long name": (schema(type="object", properties={"a" * 65: {}}), "Property keys should match"),
    "alternatives at the top": (
        schema(type="object", anyOf=[{}]),
        "input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
    ),
    "a schema with required in words": (schema(type="object", required="a"), "JSON schema is invalid"),
    "an unknown choice": (
        request(tools=[tool()], tool_choice={"type": "required"}),
        "tool_choice: Input tag 'required'",
    ),
    "a choice in words": (
        request(tools=[tool()], tool_choice="auto"),
        "tool_choice: Input should be a valid dictionary",
    ),
    "a choice with more": (
        request(tools=[tool()], tool_choice={"type": "auto", "name": "x"}),
        "tool_choice.auto.name: Extra",
    ),
    "a choice of nothing": (
        request(tools=[tool()], tool_choice={"type": "tool", "name": "x"}),
        "Tool 'x' not found in provided tools",
    ),
    "any of no tools": (request(tool_choice={"type": "any"}), "tool_choice"),
    "a forced call while thinking": (
        request(tools=[tool()], tool_choice={"type": "any"}, thinking={"type": "adaptive"}),
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(body):
    """A request the API takes passes, and is not changed by being looked at."""
    assert_accepted(body)


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(body, message):
    """A request the API refuses is refused with 400 and in its words."""
    assert_refused(body, message)
