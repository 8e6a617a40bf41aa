"""The functions a client offers, in the new form (`tools`) or the old (`functions`)."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolDefinition
from app.dialects.chat_completions.json_schema import object_schema
from app.dialects.fields import function_name, invalid, mapping, shown, string

MOST = 128
# The CLI's own tool for structured output; a client's tool of that name would be taken for it.
RESERVED = "StructuredOutput"
# A tool of this name never reaches the model: the CLI drops it without a word.
UNSEEN = "ToolSearch"


def definitions(tools: list[Any], param: str) -> tuple[ToolDefinition, ...]:
    """Return the functions of `tools`, or of `functions` where `param` says so; names may repeat.

    Raises BadRequest naming the field.
    """
    if len(tools) > MOST:
        raise invalid(param, f"must hold at most {MOST} tools, not {len(tools)}")
    return tuple(_definition(*_function(tool, f"{param}[{index}]", param)) for index, tool in enumerate(tools))


def check_names(tools: tuple[ToolDefinition, ...], param: str, *, structured: bool) -> None:
    """Raise BadRequest when a name comes twice or is the CLI's own, always or while the answer is `structured`."""
    inner = ".function" if param == "tools" else ""
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


def _function(tool: Any, param: str, listing: str) -> tuple[dict[str, Any], str]:
    if listing == "functions":
        return mapping(tool, param), param
    kind = mapping(tool, param).get("type")
    if kind != "function":
        raise invalid(f"{param}.type", f"{shown(kind)} is not supported; this server takes function tools")
    return mapping(tool.get("function"), f"{param}.function"), f"{param}.function"


def _definition(function: dict[str, Any], param: str) -> ToolDefinition:
    description, parameters = function.get("description"), function.get("parameters")
    if parameters is None:
        parameters = {"type": "object", "properties": {}}
    return ToolDefinition(
        function_name(function.get("name"), f"{param}.name"),
        "" if description is None else string(description, f"{param}.description"),
        object_schema(parameters, f"{param}.parameters"),
    )
