"""The functions a client offers, and the choice between them."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolChoice
from app.dialects import tools as shared
from app.dialects.fields import invalid, mapping, shown
from app.dialects.openai.tool_choice import Offer, Tools, allowed, by_word, name

PARAM = "tool_choice"


def definitions(tools: list[Any]) -> Tools:
    """Return the functions. Raises BadRequest naming the field, and for tools that OpenAI runs."""
    shared.check_number(tools, "tools")
    return tuple(
        shared.definition(_function(tool, f"tools[{index}]"), f"tools[{index}]") for index, tool in enumerate(tools)
    )


def offered(choice: Any, tools: Tools) -> Offer:
    """Return the functions that a `tool_choice` leaves, and whether one must be called. Raises BadRequest."""
    if choice is None:
        return tools, ToolChoice()
    if isinstance(choice, str):
        return by_word(choice, tools, PARAM)
    kind = mapping(choice, PARAM).get("type")
    if kind == "allowed_tools":
        return allowed(choice, tools, PARAM, lambda tool, place: (tool, place))
    if kind != "function":
        raise invalid(f"{PARAM}.type", f"must be function or allowed_tools, not {shown(kind)}")
    return tools, ToolChoice(name=name(choice, PARAM, tools))


def _function(tool: Any, param: str) -> dict[str, Any]:
    kind = mapping(tool, param).get("type")
    if kind != "function":
        raise invalid(f"{param}.type", f"{shown(kind)} is not supported: this server takes function tools alone")
    return mapping(tool, param)
