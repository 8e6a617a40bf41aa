"""JSON Schemas as the API takes them, and cut down to what the CLI's checker takes.

The API refuses `anyOf`, `oneOf` and `allOf` at the top of a tool's input. The CLI (2.1.120 to 2.1.332) checks answers
with a strict checker of draft-07: a word that it does not know, or a pattern that is none of JavaScript's, makes it
drop the whole form without a word.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

COMBINED = ("anyOf", "oneOf", "allOf")
NOTE = "The input must also satisfy this JSON Schema: "

# Where subschemas stand: one, a list of them, or one under each name.
SINGLE = (
    *("items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
LISTED = (*COMBINED, "prefixItems")
NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
# What the CLI's checker knows beside those. Patterns are not among them: no rule tells those that it takes, and that
# it is done with in time.
KNOWN = frozenset(
    """
    type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength maxItems minItems
    uniqueItems maxProperties minProperties required title description
    """.split()
)
# Words that say nothing about a value.
SILENT = frozenset({"$schema", "$id", "id", "$comment", "default", "examples", "format", "nullable"})
# A word means more without those beside it.
DEPENDENT = {
    "items": ("prefixItems",),
    "additionalProperties": ("patternProperties",),
    "contains": ("minContains", "maxContains"),
}

Schema = dict[str, Any]


def flat(schema: Schema) -> tuple[Schema, str]:
    """Return a schema without what the API refuses at the top, and in words what it lacks for that.

    The properties of all parts are in it; which of them go together is left to the words.
    """
    combined = {word: schema[word] for word in COMBINED if word in schema}
    if not combined:
        return schema, ""
    told = {word: value for word, value in schema.items() if word not in combined}
    told["properties"], required = _of_parts(schema, schema, set())
    if required:
        told["required"] = sorted(required)
    return told, NOTE + json.dumps(combined, ensure_ascii=False)


def nullable(schema: Any) -> Any:
    """Return a schema that says in JSON Schema's own words what OpenAPI's `nullable` says."""
    if not isinstance(schema, dict):
        return schema
    told = _with_parts(schema, nullable)
    if schema.get("nullable") is not True:
        return told
    del told["nullable"]
    if isinstance(told.get("enum"), list) and None not in told["enum"]:
        told["enum"] = [*told["enum"], None]
    if isinstance(told.get("type"), str):
        return {**told, "type": [told["type"], "null"]}
    return told if "type" in told else {"anyOf": [told, {"type": "null"}]}


def cut(schema: Schema) -> Schema:
    """Return a schema for the CLI's checker that takes whatever this one takes, and as little else as can be."""
    banned: set[str] = set()
    while True:
        told, _ = _Cut(banned).whole(schema)
        lost = {target for target in _references(told) if not isinstance(_found(told, target), dict | bool)}
        if lost <= banned:
            return told
        banned |= lost


class _Cut:
    """Cuts a schema, part by part; each tells whether what is left takes exactly what it took before.

    Where that matters (`not`, `if`, `oneOf`) a part that takes more would make the whole take less.
    """

    def __init__(self, banned: set[str]) -> None:
        self._banned = banned

    def whole(self, schema: Schema) -> tuple[Schema, bool]:
        """Return what is left of a schema that is not a part of another."""
        told: Schema = {}
        exact = True
        for word, value in schema.items():
            if word in KNOWN:
                told[word] = value
            elif word in ("properties", "$defs", "definitions"):
                parts = {name: self._part(part) for name, part in value.items()}
                told[word] = {name: part for name, (part, _) in parts.items()}
                exact = exact and all(same for _, same in parts.values())
            elif word == "$ref" and value.startswith("#") and value not in self._banned:
                told[word] = value
                exact = False  # what it leads to may have been cut
            elif word in COMBINED:
                exact = self._several(word, value, told) and exact
            elif word in ("items", "additionalProperties", "propertyNames", "contains", "not"):
                exact = self._one(word, schema, told) and exact
            elif word not in SILENT and word not in ("if", "then", "else"):
                exact = False
        return told, self._condition(schema, told) and exact

    def _part(self, schema: Any) -> tuple[Any, bool]:
        if not isinstance(schema, dict):
            return schema, True
        # With an id of its own, its references are about itself.
        return ({}, False) if "$id" in schema else self.whole(schema)

    def _several(self, word: str, parts: list[Any], told: Schema) -> bool:
        cuts = [self._part(part) for part in parts]
        exact = all(same for _, same in cuts)
        left = [part for part, _ in cuts]
        if word == "oneOf" and not exact:
            word, left = "allOf", [{"anyOf": left}]
        told[word] = [*told.get(word, []), *left]
        return exact

    def _one(self, word: str, schema: Schema, told: Schema) -> bool:
        part, exact = self._part(schema[word])
        if any(other in schema for other in DEPENDENT.get(word, ())) or (word == "not" and not exact):
            return False
        told[word] = part
        return exact

    def _condition(self, schema: Schema, told: Schema) -> bool:
        branches = {word: self._part(schema[word]) for word in ("then", "else") if word in schema}
        if "if" not in schema or not branches:
            return True
        condition, exact = self._part(schema["if"])
        if exact:
            told["if"] = condition
            told.update({word: part for word, (part, _) in branches.items()})
        return exact and all(same for _, same in branches.values())


def _with_parts(schema: Schema, change: Callable[[Any], Any]) -> Schema:
    """Return a schema whose subschemas are changed."""
    told = dict(schema)
    for word, value in schema.items():
        if word in SINGLE:
            told[word] = change(value)
        elif word in LISTED and isinstance(value, list):
            told[word] = [change(part) for part in value]
        elif word in NAMED and isinstance(value, dict):
            told[word] = {name: change(part) for name, part in value.items()}
    return told


def _of_parts(schema: Any, top: Schema, seen: set[str]) -> tuple[Schema, set[str]]:
    """Return all properties that a schema and the parts of it name, and which of them every object must have."""
    if not isinstance(schema, dict):
        return {}, set()
    found: dict[str, dict[bytes, Any]] = {}  # by name, each way in which it is described
    required = set(schema.get("required") or ())
    others = [("allOf", [_followed(schema["$ref"], top, seen)])] if "$ref" in schema else []
    for word, parts in (*others, *((word, schema.get(word) or ()) for word in COMBINED)):
        told = [_of_parts(part, top, seen) for part in parts]
        for properties, _ in told:
            for name, part in properties.items():
                found.setdefault(name, {})[msgspec.json.encode(part)] = part
        needed = [names for _, names in told]
        if needed:
            required |= set.union(*needed) if word == "allOf" else set.intersection(*needed)
    ways = {name: list(parts.values()) for name, parts in found.items()}
    merged = {name: parts[0] if len(parts) == 1 else {"anyOf": parts} for name, parts in ways.items()}
    return {**merged, **(schema.get("properties") or {})}, required


def _followed(target: str, top: Schema, seen: set[str]) -> Any:
    """Return what a reference leads to, once; nothing the next time."""
    if target in seen:
        return None
    seen.add(target)
    return _found(top, target)


def _references(schema: Any) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            waiting.extend(node.values())


def _found(top: Any, target: str) -> Any:
    """Return what a reference within a schema leads to, None where that is nothing."""
    if target != "#" and not target.startswith("#/"):
        return None  # an anchor
    node = top
    for step in urllib.parse.unquote(target).removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            node = node.get(name) if isinstance(node, dict) else None
    return node
