"""The functions a client offers: how each is described, and which names are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.conversation import ToolDefinition
from app.dialects.fields import function_name, invalid, string
from app.dialects.json_schema import object_schema

# The Messages API names no bound; this one is far beyond what clients were seen to send (265), and the CLI takes it.
MAX_TOOLS = 1024
# The CLI's own tool for structured output; a client's tool of that name would be taken for it.
RESERVED = "StructuredOutput"
# A tool of this name never reaches the model: the CLI drops it without a word.
UNSEEN = "ToolSearch"


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


def check_names(tools: Sequence[ToolDefinition], param: str, inner: str = "", *, structured: bool) -> None:
    """Raise BadRequest when a name comes twice or is the CLI's own, always or while the answer is `structured`.

    A tool's name stands at `param[index]`, under `inner` where that says so.
    """
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        place = f"{param}[{index}]{inner}.name"
        if tool.name in seen:
            raise invalid(place, f"{tool.name!r} is used twice")
        if tool.name == UNSEEN:
            raise invalid(place, f"{UNSEEN!r} is a name that the claude CLI keeps to itself")
        if structured and tool.name == RESERVED:
            raise invalid(place, f"{RESERVED!r} cannot be used together with a response_format")
        seen.add(tool.name)
