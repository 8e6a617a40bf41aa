"""Tools of a request, in namespaces or not, and the names by which they are called back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from app.conversation import ToolChoice
from app.dialects import tools as shared
from app.dialects.fields import MAX_FUNCTION_NAME, array, function_name, invalid, mapping, shown
from app.dialects.tools import Chosen, Offer, allowed_tools, chosen_by_word, chosen_name

PARAM = "tool_choice"
FUNCTION, NAMESPACE = "function", "namespace"


def offer(tools: list[Any], ignored: list[str]) -> tuple[Offer, dict[str, tuple[str, str]]]:
    """Return what a request offers, and the names of functions in namespaces; tools that OpenAI runs are left out.

    Raises BadRequest naming the field.
    """
    found, names = Offer(), dict[str, tuple[str, str]]()
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        if mapping(tool, place).get("type") == NAMESPACE:
            _add_namespace(tool, place, found, names, ignored)
        else:
            _add(tool, place, found, ignored)
    shared.check_number(found.functions, "tools")
    return found, names


def chosen(choice: Any, offer: Offer) -> Chosen:
    """Return the functions that a `tool_choice` leaves, and whether one must be called. Raises BadRequest."""
    tools = tuple(offer.functions)
    if choice is None:
        return tools, ToolChoice()
    if isinstance(choice, str):
        return chosen_by_word(choice, tools, PARAM)
    kind = mapping(choice, PARAM).get("type")
    if kind == "allowed_tools":
        return allowed_tools(choice, offer, PARAM, _named)
    if kind in offer.built_in:
        return tools, offer.forced(kind, f"{PARAM}.type")
    if kind != FUNCTION:
        raise invalid(f"{PARAM}.type", f"must be function or allowed_tools, not {shown(kind)}")
    return tools, ToolChoice(name=chosen_name(*_named(choice, PARAM), tools))


def known_name(function: dict[str, Any], param: str) -> str:
    """Return the name by which the model knows a function, or a call of one. Raises BadRequest naming the field."""
    own = function_name(function.get("name"), f"{param}.name")
    namespace = function.get(NAMESPACE)
    return joined(function_name(namespace, f"{param}.{NAMESPACE}"), own) if namespace else own


def _named(function: dict[str, Any], param: str) -> tuple[dict[str, Any], str]:
    return {**function, "name": known_name(function, param)}, param


def _add(tool: dict[str, Any], param: str, offer: Offer, ignored: list[str]) -> None:
    if tool.get("type") == FUNCTION:
        offer.add(shared.definition(tool, param), param)
    else:
        offer.leave_out(tool, param, ignored)


def _add_namespace(
    namespace: dict[str, Any], param: str, offer: Offer, names: dict[str, tuple[str, str]], ignored: list[str]
) -> None:
    space = function_name(namespace.get("name"), f"{param}.name")
    for index, tool in enumerate(array(namespace.get("tools"), f"{param}.tools")):
        place = f"{param}.tools[{index}]"
        if mapping(tool, place).get("type") != FUNCTION:
            offer.leave_out(tool, place, ignored)
            continue
        function = shared.definition(tool, place)
        known = joined(space, function.name)
        names[known] = (space, function.name)
        offer.add(msgspec.structs.replace(function, name=known), place)


SEPARATOR = "__"

# The names that the model knows, and the namespace and the name that the client knows.
Names = Mapping[str, tuple[str, str]]
NONE: Names = {}


def joined(namespace: str, name: str) -> str:
    """Return the one name for a function in a namespace, always the same one."""
    whole = f"{namespace}{name}" if namespace.endswith(SEPARATOR) else f"{namespace}{SEPARATOR}{name}"
    if len(whole) <= MAX_FUNCTION_NAME:
        return whole
    mark = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: MAX_FUNCTION_NAME - len(mark) - 1]}_{mark}"
