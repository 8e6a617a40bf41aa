"""What the routes accept: schemas of the very structs that check the bodies, with the untyped parts filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from app.dialects.dialect import Dialect

REF = "#/components/schemas/{name}"


def schemas(dialects: Sequence[Dialect]) -> dict[str, Any]:
    """Return the schemas of all request bodies by name."""
    bodies = {dialect.operation.request: dialect.operation.filled for dialect in dialects}
    for dialect in dialects:
        if dialect.counter is not None:
            bodies.setdefault(dialect.counter.request, dialect.operation.filled)
    _, found = msgspec.json.schema_components(bodies, ref_template=REF)
    for body, filled in bodies.items():
        schema = found[body.__name__]
        schema["properties"].update(filled)
        schema["description"] = "Further fields are accepted; `x-proxy-ignored` names them."
    for schema in found.values():
        schema["additionalProperties"] = True
    return found
