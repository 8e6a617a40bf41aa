"""Schemas as the API takes them, and cut down to what the CLI's checker takes."""

from __future__ import annotations

import json

import hypothesis
import jsonschema_rs
import pytest
from hypothesis import strategies as st
from schemas import SCHEMAS

from app.claude.cli.schemas import cut, flat, nullable
from app.claude.cli.tool_names import Renaming, properties, renamed


def takes(schema, value):
    return jsonschema_rs.validator_for({**schema, "$schema": "http://json-schema.org/draft-07/schema#"}).is_valid(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_fits_the_whole_fits_the_cut(name):
    """The CLI's checker never refuses an answer that the whole schema takes."""
    schema, fits, misfit = SCHEMAS[name]
    whole = jsonschema_rs.validator_for(nullable(schema))
    assert (whole.is_valid(fits), whole.is_valid(misfit)) == (True, False)
    assert takes(cut(nullable(schema)), fits)


@pytest.mark.parametrize(
    ("schema", "left"),
    [
        ({"not": {"pattern": "a"}}, {}),
        ({"not": {"type": "string"}}, {"not": {"type": "string"}}),
        ({"oneOf": [{"pattern": "a"}, {"type": "null"}]}, {"allOf": [{"anyOf": [{}, {"type": "null"}]}]}),
        ({"if": {"pattern": "a"}, "then": {"type": "null"}}, {}),
        ({"if": {"type": "null"}, "then": {"pattern": "a"}}, {"if": {"type": "null"}, "then": {}}),
        ({"if": {"type": "null"}}, {}),
        ({"prefixItems": [{"type": "null"}], "items": False}, {}),
        ({"patternProperties": {"a": {}}, "additionalProperties": False}, {}),
        ({"contains": {}, "minContains": 0}, {}),
        ({"$ref": "#a", "$defs": {"a": {"$anchor": "a"}}}, {"$defs": {"a": {}}}),
        ({"$ref": "#/dependentSchemas/a", "dependentSchemas": {"a": {}}}, {}),
        ({"properties": {"a": {"$id": "b", "$ref": "#/c"}}}, {"properties": {"a": {}}}),
        ({"const": {"$ref": "#nowhere"}}, {"const": {"$ref": "#nowhere"}}),
        ({"properties": {"pattern": {"$ref": "#"}}}, {"properties": {"pattern": {"$ref": "#"}}}),
    ],
)
def test_what_is_left(schema, left):
    """Nothing that is left out makes the rest take less."""
    assert cut(schema) == left


def test_alternatives_at_the_top():
    """All properties of all alternatives are there, and those that every object must have; references once."""
    schema = {
        "anyOf": [{"$ref": "#/$defs/a"}, {"required": ["a", "b"], "properties": {"b": {"type": "null"}}}],
        "allOf": [{"required": ["c"]}, {"$ref": "#"}],
        "properties": {"a": {"type": "string"}},
        "$defs": {"a": {"required": ["a"], "properties": {"a": {"type": "integer"}}}},
    }
    told, note = flat(schema)
    assert not {"anyOf", "allOf"} & set(told)
    assert told["properties"] == {"a": {"type": "string"}, "b": {"type": "null"}}
    assert told["required"] == ["a", "c"]
    assert json.dumps(schema["anyOf"]) in note
    assert flat({"type": "object"}) == ({"type": "object"}, "")


keys = st.sampled_from(["größe", "gro_e", "a", 'q"', "\\", "\u2028"]) | st.text(max_size=3)
values = st.recursive(
    st.none() | st.text(max_size=4) | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner),
    max_leaves=8,
)


@hypothesis.given(
    st.dictionaries(keys, values, max_size=5), st.booleans(), st.integers(1, 7), st.sampled_from([None, 1])
)
def test_names_in_pieces(value, ascii_only, size, indent):
    """Wherever the text is cut, the keys at the top alone get their other names."""
    names = {"größe": "size[0]", 'q"': "\\", "a": "b"}
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    renaming = Renaming(names)
    told = "".join(renaming.feed(text[start : start + size]) for start in range(0, len(text), size))
    pairs = json.loads(told, object_pairs_hook=list)
    assert [tuple(pair) for pair in pairs] == [
        (names.get(key, key), inner) for key, inner in json.loads(text, object_pairs_hook=list)
    ]


def test_references_to_renamed_properties():
    """A reference leads to where it led before."""
    schema = {
        "type": "object",
        "properties": {"a/b": {"type": "string"}, "c": {"$ref": "#/properties/a~1b"}},
        "not": {"required": ["a/b"]},
    }
    assert renamed(schema, properties(schema)) == {
        "type": "object",
        "properties": {"a_b": {"title": "a/b", "type": "string"}, "c": {"$ref": "#/properties/a_b"}},
        "not": {"required": ["a_b"]},
    }
