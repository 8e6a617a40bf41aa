"""JSON Schemas as the libraries that clients use write them, and for each an answer that fits and one that does not.

Written by zod 4.6 (z.toJSONSchema), zod-to-json-schema 3.25, pydantic 2.14, msgspec 0.22 and openai's strict helper,
each from one small model. Gemini's, and those with rare words, are made up.
"""
# ruff: noqa: E501 - what a library writes stays as it is

from __future__ import annotations

from typing import Any

ZOD_4 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "email": {
            "type": "string",
            "format": "email",
            "pattern": "^(?:[A-Za-z0-9_'+\\-]+\\.)*[A-Za-z0-9_'+\\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$",
        },
        "pair": {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "number"}],
            "items": False,
            "minItems": 2,
            "maxItems": 2,
        },
        "count": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9007199254740991},
        "tags": {"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": {"type": "string"}},
        "note": {"type": ["string", "null"]},
        "kind": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"k": {"type": "string", "const": "a"}},
                    "required": ["k"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"k": {"type": "string", "const": "b"}, "n": {"type": "number"}},
                    "required": ["k", "n"],
                    "additionalProperties": False,
                },
            ]
        },
    },
    "required": ["email", "pair", "count", "tags", "note", "kind"],
    "additionalProperties": False,
}
ZOD_3 = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "enum": ["a", "b"]},
        "when": {"type": "string", "format": "date-time"},
        "count": {"type": "integer", "exclusiveMinimum": 0},
        "child": {"$ref": "#"},
    },
    "required": ["kind", "when", "count"],
    "additionalProperties": False,
    "$schema": "http://json-schema.org/draft-07/schema#",
}
PYDANTIC = {
    "$defs": {
        "Cat": {
            "properties": {
                "kind": {"const": "cat", "title": "Kind", "type": "string"},
                "lives": {"title": "Lives", "type": "integer"},
            },
            "required": ["kind", "lives"],
            "title": "Cat",
            "type": "object",
        },
        "Dog": {
            "properties": {"kind": {"const": "dog", "title": "Kind", "type": "string"}},
            "required": ["kind"],
            "title": "Dog",
            "type": "object",
        },
    },
    "properties": {
        "pet": {
            "discriminator": {"mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"}, "propertyName": "kind"},
            "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
            "title": "Pet",
        },
        "pair": {
            "maxItems": 2,
            "minItems": 2,
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "title": "Pair",
            "type": "array",
        },
        "code": {"examples": ["AX"], "pattern": "^(?P<letter>[A-Z])(?i:x)$", "title": "Code", "type": "string"},
    },
    "required": ["pet", "pair", "code"],
    "title": "Owner",
    "type": "object",
}
MSGSPEC = {
    "$ref": "#/$defs/Point",
    "$defs": {
        "Point": {
            "title": "Point",
            "type": "object",
            "properties": {
                "type": {"enum": ["point"]},
                "x": {"type": "integer", "minimum": -100},
                "name": {"anyOf": [{"type": "string", "pattern": "^\\w+$"}, {"type": "null"}], "default": None},
                "pair": {
                    "type": "array",
                    "minItems": 2,
                    "maxItems": 2,
                    "prefixItems": [{"type": "integer"}, {"type": "string"}],
                    "items": False,
                    "default": [1, "a"],
                },
            },
            "required": ["type", "x"],
        }
    },
}
GEMINI = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "nullable": True, "example": "Ulm"},
        "size": {"type": "string", "enum": ["S", "L"], "nullable": True, "format": "enum"},
        "größe": {"type": "integer", "format": "int32"},
    },
    "propertyOrdering": ["größe", "city", "size"],
    "required": ["city", "größe"],
}
OPENAI_STRICT = {
    "$defs": {
        "Node": {
            "properties": {
                "first name": {"description": "Given name", "title": "First Name", "type": "string"},
                "letters": {"pattern": "^[A-Z]\\w*$", "title": "Letters", "type": "string"},
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            },
            "required": ["first name", "letters", "next"],
            "title": "Node",
            "type": "object",
            "additionalProperties": False,
        }
    },
    "properties": {
        "first name": {"description": "Given name", "title": "First Name", "type": "string"},
        "letters": {"pattern": "^[A-Z]\\w*$", "title": "Letters", "type": "string"},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
    },
    "required": ["first name", "letters", "next"],
    "title": "Node",
    "type": "object",
    "additionalProperties": False,
}
DRAFT_4 = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "id": "https://example.com/four",
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 1}},
    "required": ["a"],
}
RARE = {
    "$schema": "https://json-schema.org/draft/2019-09/schema",
    "type": "object",
    "properties": {
        "list": {"type": "array", "contains": {"const": 1}, "minContains": 2},
        "named": {"$anchor": "named", "type": "object", "unevaluatedProperties": False, "properties": {"b": True}},
        "same": {"$ref": "#named"},
        "letters": {"pattern": r"^\p{L}+$"},
        "none": {"not": {"pattern": "(?i)^x"}},
        "when": {"if": {"pattern": "^a"}, "then": {"minLength": 3}},
    },
    "patternProperties": {"^x-": {"type": "string"}},
    "additionalProperties": False,
    "dependentRequired": {"list": ["none"]},
}

# By name: the schema, an answer that fits, and one that does not.
SCHEMAS: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "zod 4": (
        ZOD_4,
        {"email": "a@b.de", "pair": ["a", 1], "count": 1, "tags": {"a": "b"}, "note": None, "kind": {"k": "a"}},
        {"email": "a@@b.de", "pair": ["a", 1], "count": 1, "tags": {"a": "b"}, "note": None, "kind": {"k": "a"}},
    ),
    "zod 3": (
        ZOD_3,
        {
            "kind": "a",
            "when": "2026-01-01T00:00:00Z",
            "count": 1,
            "child": {"kind": "b", "when": "2026-01-01T00:00:00Z", "count": 2},
        },
        {
            "kind": "a",
            "when": "2026-01-01T00:00:00Z",
            "count": 1,
            "child": {"kind": "c", "when": "2026-01-01T00:00:00Z", "count": 2},
        },
    ),
    "pydantic": (
        PYDANTIC,
        {"pet": {"kind": "cat", "lives": 9}, "pair": [1, "a"], "code": "AX"},
        {"pet": {"kind": "cat", "lives": 9}, "pair": ["a", 1], "code": "AX"},
    ),
    "msgspec": (MSGSPEC, {"type": "point", "x": -1, "name": "e"}, {"type": "point", "x": -1, "name": "e !"}),
    "gemini": (GEMINI, {"city": None, "size": None, "größe": 1}, {"city": None, "size": "M", "größe": 1}),
    "openai strict": (
        OPENAI_STRICT,
        {"first name": "Zoë", "letters": "A", "next": {"first name": "", "letters": "B", "next": None}},
        {"first name": "Zoë", "letters": "a", "next": None},
    ),
    "draft 4": (DRAFT_4, {"a": 1}, {"a": 0}),
    "rare words": (
        RARE,
        {"list": [1, 1], "named": {"b": 1}, "same": {"b": 2}, "none": "ax", "when": "b", "letters": "ßé", "x-a": "b"},
        {"list": [1, 2], "none": "ax"},
    ),
}
