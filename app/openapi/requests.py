"""What the routes accept: schemas of the very structs that check the bodies, with the untyped parts filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from app.dialects.dialect import Dialect

REF = "#/components/schemas/{name}"


def schemas(dialects: Sequence[Dialect]) -> dict[str, Any]:
    """Return the schemas of all request bodies by name."""
    operations = [dialect.operation for dialect in dialects]
    _, found = msgspec.json.schema_components([operation.request for operation in operations], ref_template=REF)
    for operation in operations:
        schema = found[operation.request.__name__]
        schema["properties"].update(operation.filled)
        schema["description"] = "Further fields are accepted; `x-proxy-ignored` names them."
    for schema in found.values():
        schema["additionalProperties"] = True
    return found
