"""How large a schema is."""

from __future__ import annotations

import time

import pytest

from app.dialects.json_schema import MAX_DEPTH, MAX_EXPANDED, MAX_NODES, excess


def nested(levels):
    schema = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def doubled(times):
    """A schema whose references double with each step."""
    steps = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(times)}
    return {"$defs": {**steps, f"d{times}": {"type": "string"}}, "$ref": "#/$defs/d0"}


def chain(length):
    steps = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(length)}
    return {"$defs": {**steps, f"d{length}": {}}, "$ref": "#/$defs/d0"}


FINE = {
    "none": {},
    "deep": nested(MAX_DEPTH - 1),
    "wide": {"anyOf": [{}] * (MAX_NODES - 1)},
    "to itself": {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#/properties/a"}, "c": {"$ref": "#/properties/c"}}},
    "to nothing": {"$ref": "#/no/such/place", "properties": {"$ref": {"$ref": "#/properties/%24ref/x~1y~0"}}},
    "into a list": {
        "$ref": "#/anyOf/0",
        "anyOf": [{}, {"$ref": "#/anyOf/00000000000000000001"}, {"$ref": "#/anyOf/9"}],
    },
    "doubled 8 times": doubled(8),
    "a long chain": chain(300),
}


@pytest.mark.parametrize("schema", FINE.values(), ids=FINE)
def test_fine(schema):
    """What people write is not too large, nor is what leads back into itself."""
    assert excess(schema) is None


LARGE = {
    "too deep": (nested(MAX_DEPTH), "deeper"),
    "far too deep": (nested(100_000), "deeper"),
    "too wide": ({"anyOf": [{}] * MAX_NODES}, "objects and arrays"),
    "properties": ({"properties": {f"p{i}": {"type": "string"} for i in range(MAX_NODES)}}, "objects and arrays"),
    "doubled 17 times": (doubled(17), f"{MAX_EXPANDED:,}"),
    "doubled 2,000 times": (doubled(2000), f"{MAX_EXPANDED:,}"),
    "a longer chain": (chain(5000), f"{MAX_EXPANDED:,}"),
}


@pytest.mark.parametrize(("schema", "reason"), LARGE.values(), ids=LARGE)
def test_large(schema, reason):
    """What is too large is told so, and in which way, at once."""
    began = time.monotonic()
    assert reason in excess(schema)
    assert time.monotonic() - began < 10
