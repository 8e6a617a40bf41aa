"""How large a JSON Schema is, and how large with its references followed: pure counting, in linear time."""

from __future__ import annotations

import urllib.parse
from typing import Any

from app.event_loop import pause

# Objects and arrays of one schema, and how deep they lie in each other.
MAX_NODES = 20_000
MAX_DEPTH = 100
# The same with each `$ref` replaced by what it leads to, as whoever checks by the schema has to: one that doubles
# 17 times is 400,000.
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
            sizes[id(node)] = 0  # until it is known, and for whatever leads back to it
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
