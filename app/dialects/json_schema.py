"""Whether a JSON Schema can be used: valid, about an object, complete in itself."""

from __future__ import annotations

import functools
import re
import time
import warnings
from collections.abc import Callable
from typing import Any

import jsonschema
import msgspec
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from app.dialects.fields import invalid, mapping, shown

# Larger ones are checked anew each time instead of being kept.
LARGEST_KEPT = 64 * 1024
LONGEST_REASON = 200
# Formats are left to the API: patterns of JavaScript are often none of Python's.
FORMATS = jsonschema.FormatChecker(formats=())


def object_schema(value: Any, param: str) -> dict[str, Any]:
    """Return a schema (draft 2020-12) whose top is an object, which a schema without `type` is taken to mean.

    Raises BadRequest.
    """
    schema = {"type": "object", **mapping(value, param)}
    if schema["type"] != "object":
        raise invalid(f"{param}.type", f"must be 'object', not {shown(schema['type'])}")
    encoded = msgspec.json.encode(schema)
    check = _problem if len(encoded) <= LARGEST_KEPT else _problem.__wrapped__
    time.sleep(0)  # under gevent: a hundred unknown schemas take a second, in which the other streams must go on
    problem = check(encoded)
    if problem is not None:
        raise invalid(param, f"is not a valid JSON Schema (draft 2020-12): {problem}")
    return schema


def answerable(schema: Any, param: str) -> dict[str, Any]:
    """Return a schema that an answer can be checked against, that of any object for null. Raises BadRequest."""
    found = object_schema({} if schema is None else schema, param)
    _check_answerable(found, param)
    return found


def _check_answerable(schema: dict[str, Any], param: str) -> None:
    # A pattern may be no regular expression, and a `$ref` lead out of the schema, where nothing is fetched.
    resolver = Registry[Any]().resolver_with_root(DRAFT202012.create_resource(schema))
    for node in _nodes(schema):
        for target in (node.get("$ref"), node.get("$dynamicRef")):
            if isinstance(target, str) and not _leads_to_schema(resolver.lookup, target):
                raise invalid(param, f"has a $ref that leads to no schema in it: {shown(target)}")
        patterns = node.get("patternProperties")
        for pattern in (node.get("pattern"), *(patterns if isinstance(patterns, dict) else ())):
            if isinstance(pattern, str) and not _is_pattern(pattern):
                raise invalid(param, f"has a pattern that is no regular expression: {shown(pattern)}")


@functools.lru_cache(maxsize=512)
def _problem(encoded: bytes) -> str | None:
    # An agent offers the same dozens of tools with each request, and a check takes milliseconds.
    try:
        jsonschema.Draft202012Validator.check_schema(msgspec.json.decode(encoded), FORMATS)
    except jsonschema.SchemaError as error:
        return f"{error.json_path}: {error.message[:LONGEST_REASON]}"
    except RecursionError:
        return "it is nested too deeply"
    return None


def _nodes(schema: Any) -> list[dict[str, Any]]:
    found, waiting = [], [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            found.append(node)
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return found


def _leads_to_schema(lookup: Callable[[str], Any], target: str) -> bool:
    try:
        return isinstance(lookup(target).contents, dict | bool)
    except (Unresolvable, ValueError, TypeError):
        return False


def _is_pattern(text: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True
