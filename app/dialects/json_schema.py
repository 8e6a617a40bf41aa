"""Whether a JSON Schema can be used: valid, about an object, complete in itself, and not too large."""

from __future__ import annotations

import urllib.parse
from typing import Any

import jsonschema_rs

from app import schema_check
from app.dialects.fields import invalid, mapping, shown
from app.event_loop import pause

# Objects and arrays of one schema, and how deep they lie in each other.
MAX_NODES = 20_000
MAX_DEPTH = 100
# The same with each `$ref` replaced by its target, as a validator has to do: a schema that doubles 17 times has
# 400,000.
MAX_EXPANDED = 100_000


def excess(schema: Any) -> str | None:
    """Return what is too large about a schema, None where nothing is; the text goes on after the schema's name."""
    level, found = [schema], 0
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _inner(node)]
        found += len(level)
        pause()
        if found > MAX_NODES:
            return f"has more than {MAX_NODES:,} objects and arrays"
        if not level:
            break
    else:
        return f"is nested deeper than {MAX_DEPTH} levels"
    if _expanded(schema) > MAX_EXPANDED:
        return f"has more than {MAX_EXPANDED:,} objects and arrays when its references are followed"
    return None


def _expanded(schema: Any) -> int:
    """Return the number of nodes with local references followed; one that leads back into itself counts once."""
    sizes: dict[int, int] = {}

    # Depth first, without recursion: a chain of references may be as long as the schema.
    stack: list[tuple[Any, bool]] = [(schema, False)]
    while stack:
        pause()
        node, left = stack.pop()
        if left:
            inner = _followed(node, schema)
            sizes[id(node)] = min(1 + sum(sizes.get(id(child), 0) for child in inner), MAX_EXPANDED + 1)
        elif isinstance(node, dict | list) and id(node) not in sizes:
            sizes[id(node)] = 0  # until it is known; references back to it count nothing
            stack.append((node, True))
            stack.extend((child, False) for child in _followed(node, schema))
    return sizes[id(schema)]


def _followed(node: dict[str, Any] | list[Any], root: Any) -> list[Any]:
    inner = _inner(node)
    target = node.get("$ref") if isinstance(node, dict) else None
    if isinstance(target, str) and target.startswith("#/"):
        inner.append(_pointed(root, target[2:]))
    return inner


def _inner(node: dict[str, Any] | list[Any]) -> list[Any]:
    return [child for child in (node.values() if isinstance(node, dict) else node) if isinstance(child, dict | list)]


def _pointed(root: Any, pointer: str) -> Any:
    """Return what a JSON pointer leads to (RFC 6901), None where it leads nowhere."""
    found = root
    for step in pointer.split("/"):
        name = urllib.parse.unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name[:6]) < len(found):
            found = found[int(name[:6])]
        else:
            return None
    return found


MAX_REASON = 200
# What the API checks a tool's schema against, whatever the schema itself says.
DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def object_schema(value: Any, param: str) -> dict[str, Any]:
    """Return a schema (draft 2020-12) whose top is an object, which a schema without `type` is taken to mean.

    Its patterns are left to the API. Raises BadRequest.
    """
    schema = {"type": "object", **mapping(value, param)}
    if schema["type"] != "object":
        raise invalid(f"{param}.type", f"must be 'object', not {shown(schema['type'])}")
    if reason := excess(schema):
        raise invalid(param, reason)
    problem = _problem(schema)
    if problem is not None:
        raise invalid(param, f"is not a valid JSON Schema (draft 2020-12): {problem}")
    return schema


def answerable(schema: Any, param: str) -> dict[str, Any]:
    """Return a schema that an answer can be checked against, that of any object for null. Raises BadRequest."""
    found = object_schema({} if schema is None else schema, param)
    try:
        problem = schema_check.problem(found)
    except schema_check.CheckFailed as error:
        raise invalid(param, str(error)) from None
    if problem is not None:
        raise invalid(param, f"is no JSON Schema that answers can be checked against: {problem}")
    return found


def _problem(schema: dict[str, Any]) -> str | None:
    # Here rather than beside the event loop: no reference is followed and no pattern compiled, so that it takes
    # 1 ms for 5,000 nodes, and `excess` has counted them.
    try:
        jsonschema_rs.meta.validate(schema | DRAFT)
    except jsonschema_rs.ValidationError as error:
        return f"{schema_check.path(error.instance_path)}: {error.message[:MAX_REASON]}"
    except ValueError as error:  # nested too deeply, or a number beyond all bounds
        return str(error)[:MAX_REASON]
    return None
