"""The tools a client offers, and the choice between them."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolChoice, ToolDefinition
from app.dialects import tools as shared
from app.dialects.fields import function_name, invalid, mapping, one_of, shown

CHOICES = ("auto", "any", "tool", "none")
Tools = tuple[ToolDefinition, ...]


def definitions(tools: list[Any]) -> Tools:
    """Return the client's own tools. Raises BadRequest naming the field, and for the tools that Anthropic runs."""
    shared.check_number(tools, "tools")
    return tuple(_definition(tool, f"tools[{index}]") for index, tool in enumerate(tools))


def offered(choice: dict[str, Any] | None, tools: Tools) -> tuple[Tools, ToolChoice, bool]:
    """Return the tools that a `tool_choice` leaves, whether one must be called, and whether several may be at once.

    Raises BadRequest naming the field.
    """
    if choice is None:
        return tools, ToolChoice(), True
    kind = one_of(choice.get("type"), CHOICES, "tool_choice.type")
    parallel = choice.get("disable_parallel_tool_use") is not True
    if kind == "none":
        return (), ToolChoice(forbidden=True), True
    if kind == "auto":
        return tools, ToolChoice(), parallel
    if kind == "any":
        if not tools:
            raise invalid("tool_choice.type", "is 'any', but no tools are offered")
        return tools, ToolChoice(required=True), parallel
    name = function_name(choice.get("name"), "tool_choice.name")
    if name not in {tool.name for tool in tools}:
        raise invalid("tool_choice.name", f"{name!r} is none of the tools offered")
    return tools, ToolChoice(name=name), parallel


def _definition(tool: Any, param: str) -> ToolDefinition:
    kind = mapping(tool, param).get("type")
    if kind not in (None, "custom"):
        raise invalid(f"{param}.type", f"{shown(kind)} is not supported: this server takes custom tools alone")
    return shared.definition(tool, param, "input_schema")
