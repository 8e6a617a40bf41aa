"""The tools a client offers in Anthropic's form, and the choice between them."""

from __future__ import annotations

from typing import Any

from app.conversation import ToolChoice
from app.dialects import tools as shared
from app.dialects.fields import function_name, invalid, mapping, one_of
from app.dialects.tools import Offer, Tools

CHOICES = ("auto", "any", "tool", "none")
SCHEMA = "input_schema"


def offer(tools: list[Any], ignored: list[str]) -> Offer:
    """Return what a request offers; tools that Anthropic defines are left out. Raises BadRequest naming the field."""
    shared.check_number(tools, "tools")
    found = Offer()
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        if is_function(mapping(tool, place)):
            found.add(shared.definition(tool, place, SCHEMA), place)
        else:
            found.leave_out(tool, place, ignored)
    return found


def is_function(tool: dict[str, Any]) -> bool:
    """Tell whether a tool is the client's own, with a schema of its own."""
    return tool.get("type") in (None, "custom")


def chosen(choice: dict[str, Any] | None, offer: Offer) -> tuple[Tools, ToolChoice, bool]:
    """Return the functions that a `tool_choice` leaves, whether one must be called, and whether several may be at once.

    Raises BadRequest naming the field.
    """
    tools = tuple(offer.functions)
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
    if name in {tool.name for tool in tools}:
        return tools, ToolChoice(name=name), parallel
    if name in offer.built_in:
        return tools, offer.forced(name, "tool_choice.name"), parallel
    raise invalid("tool_choice.name", f"{name!r} is none of the tools offered")
