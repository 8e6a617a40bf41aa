"""The form of the whole answer: text, any object, or an object of a schema."""

from __future__ import annotations

import pytest

from .asking import ask, refused

TREE = {
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/node"}},
    "required": ["root"],
    "additionalProperties": False,
    "$defs": {
        "node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}
    },
}


def schema_of(given):
    return ask(response_format=given).conversation.options.schema


def by_schema(schema, **more):
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **more}}


@pytest.mark.parametrize(
    ("given", "schema"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        (by_schema(TREE, strict=True), TREE),
        (by_schema(None), {"type": "object"}),
        ({"type": "json_schema", "json_schema": {"name": "answer"}}, {"type": "object"}),
        (by_schema({"properties": {"a": {}}}), {"type": "object", "properties": {"a": {}}}),
        (
            by_schema({"$ref": "#/$defs/a", "$defs": {"a": {}}}),
            {"type": "object", "$ref": "#/$defs/a", "$defs": {"a": {}}},
        ),
        (
            by_schema({"$ref": "#b", "$defs": {"a": {"$anchor": "b"}}}),
            {"type": "object", "$ref": "#b", "$defs": {"a": {"$anchor": "b"}}},
        ),
        (by_schema({"type": "object"}, description="How."), {"type": "object", "description": "How."}),
        (
            by_schema({"type": "object", "description": "Its own."}, description="How."),
            {"type": "object", "description": "Its own."},
        ),
        (
            by_schema({"type": "object", "properties": {"$ref": {"type": "string"}}}),
            {"type": "object", "properties": {"$ref": {"type": "string"}}},
        ),
    ],
)
def test_schema(given, schema):
    """Each format is the schema of an object, or none; references stay; its description is told where none is."""
    assert schema_of(given) == schema
    assert ask(response_format=given).ignored == ()


def test_doubtful_pattern():
    """A pattern that Python may one day read otherwise is taken, without a warning (which would fail this test)."""
    assert schema_of(by_schema({"properties": {"a": {"pattern": "[[a]"}}})) is not None


SCHEMA = "response_format.json_schema.schema"
REFUSED = {
    "text": ("json", "response_format"),
    "nothing": ({}, "response_format.type"),
    "an unknown type": ({"type": "xml"}, "response_format.type"),
    "a type of a list": ({"type": ["text"]}, "response_format.type"),
    "no json_schema": ({"type": "json_schema"}, "response_format.json_schema"),
    "a json_schema of text": ({"type": "json_schema", "json_schema": "x"}, "response_format.json_schema"),
    "an odd name": (by_schema({}, name="a b"), "response_format.json_schema.name"),
    "a description of 7": (by_schema({}, description=7), "response_format.json_schema.description"),
    "a number": (by_schema(1), SCHEMA),
    "a list": (by_schema({"type": "array", "items": {}}), f"{SCHEMA}.type"),
    "an object or null": (by_schema({"type": ["object", "null"]}), f"{SCHEMA}.type"),
    "an invalid schema": (by_schema({"properties": {"a": {"type": "text"}}}), SCHEMA),
    "a reference to nothing": (by_schema({"properties": {"a": {"$ref": "#/$defs/no"}}}), SCHEMA),
    "a reference into text": (by_schema({"title": "ab", "properties": {"a": {"$ref": "#/title/0"}}}), SCHEMA),
    "a reference outward": (by_schema({"properties": {"a": {"$ref": "file:///etc/passwd"}}}), SCHEMA),
    "a dynamic reference to nothing": (by_schema({"properties": {"a": {"$dynamicRef": "#no"}}}), SCHEMA),
    "an odd id": (by_schema({"$id": "http://[", "properties": {"a": {"$ref": "b"}}}), SCHEMA),
    "a pattern for names": (by_schema({"patternProperties": {"(": {}}}), SCHEMA),
    "a pattern of half a bracket": (by_schema({"properties": {"a": {"pattern": "["}}}), SCHEMA),
    "a pattern too far": (by_schema({"properties": {"a": {"pattern": "a{99999999999}"}}}), SCHEMA),
    "a pattern too deep": (by_schema({"properties": {"a": {"pattern": "(" * 5000 + ")" * 5000}}}), SCHEMA),
}


@pytest.mark.parametrize(("given", "param"), REFUSED.values(), ids=REFUSED)
def test_refused(given, param):
    """A format that no answer could be checked against is a 400 that names the place."""
    assert refused(response_format=given).param == param
