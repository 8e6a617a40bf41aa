"""The functions a client offers, and the choice between them."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolChoice
from app.dialects import tools as shared
from app.dialects.fields import invalid, mapping, shown
from app.dialects.openai.tool_choice import Offer, Tools, allowed, by_word, name

PARAM = "tool_choice"
# What runs where a client asks for OpenAI's web search, under any of its dated names.
WEB_SEARCH = "WebSearch"


def definitions(tools: list[Any]) -> tuple[Tools, tuple[str, ...]]:
    """Return the functions, and what of Claude Code's own stands in for tools that OpenAI runs.

    Raises BadRequest naming the field, and for tools that nothing stands in for.
    """
    shared.check_number(tools, "tools")
    places = [(mapping(tool, f"tools[{index}]"), f"tools[{index}]") for index, tool in enumerate(tools)]
    own = dict.fromkeys(_stand_in(tool) for tool, _ in places)
    functions = [shared.definition(_function(tool, place), place) for tool, place in places if not _stand_in(tool)]
    return tuple(functions), tuple(filter(None, own))


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


def _stand_in(tool: dict[str, Any]) -> str:
    kind = tool.get("type")
    return WEB_SEARCH if isinstance(kind, str) and kind.startswith("web_search") else ""


def _function(tool: dict[str, Any], param: str) -> dict[str, Any]:
    kind = tool.get("type")
    if kind != "function":
        raise invalid(f"{param}.type", f"{shown(kind)} is not supported: this server takes functions and web_search")
    return tool
