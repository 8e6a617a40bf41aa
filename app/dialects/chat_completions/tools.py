"""The functions a client offers, in the new form (`tools`) or the old (`functions`)."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolDefinition
from app.dialects import tools as shared
from app.dialects.fields import invalid, mapping, shown

# As many as OpenAI takes here, which its clients go by: https://platform.openai.com/docs/api-reference/chat/create
MAX_TOOLS = 128


def definitions(tools: list[Any], param: str) -> tuple[ToolDefinition, ...]:
    """Return the functions of `tools`, or of `functions` where `param` says so; names may repeat.

    Raises BadRequest naming the field.
    """
    shared.check_number(tools, param, MAX_TOOLS)
    return tuple(shared.definition(*_function(tool, f"{param}[{index}]", param)) for index, tool in enumerate(tools))


def check_names(tools: tuple[ToolDefinition, ...], param: str) -> None:
    """Raise BadRequest when a name comes twice."""
    shared.check_names(tools, param, ".function" if param == "tools" else "")


def _function(tool: Any, param: str, listing: str) -> tuple[dict[str, Any], str]:
    if listing == "functions":
        return mapping(tool, param), param
    kind = mapping(tool, param).get("type")
    if kind != "function":
        raise invalid(f"{param}.type", f"{shown(kind)} is not supported; this server takes function tools")
    return mapping(tool.get("function"), f"{param}.function"), f"{param}.function"
