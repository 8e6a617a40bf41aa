"""The functions a client offers: how each is described, and which names are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.conversation import ToolDefinition
from app.dialects.fields import function_name, invalid, string
from app.dialects.json_schema import object_schema

# The Messages API names no bound; this one is far beyond what clients were seen to send (265), and the CLI takes it.
MAX_TOOLS = 1024


def check_number(tools: Sequence[Any], param: str, most: int = MAX_TOOLS) -> None:
    """Raise BadRequest naming `param` where there are more than `most` tools."""
    if len(tools) > most:
        raise invalid(param, f"must hold at most {most} tools, not {len(tools)}")


def definition(function: dict[str, Any], param: str, schema_key: str = "parameters") -> ToolDefinition:
    """Return a function whose JSON Schema stands under `schema_key`. Raises BadRequest naming the field."""
    description, schema = function.get("description"), function.get(schema_key)
    if schema is None:
        schema = {"type": "object", "properties": {}}
    return ToolDefinition(
        function_name(function.get("name"), f"{param}.name"),
        "" if description is None else string(description, f"{param}.description"),
        object_schema(schema, f"{param}.{schema_key}"),
    )


def check_names(tools: Sequence[ToolDefinition], param: str, inner: str = "") -> None:
    """Raise BadRequest when a name comes twice.

    A tool's name stands at `param[index]`, under `inner` where that says so.
    """
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        place = f"{param}[{index}]{inner}.name"
        if tool.name in seen:
            raise invalid(place, f"{tool.name!r} is used twice")
        seen.add(tool.name)
