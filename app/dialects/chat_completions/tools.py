"""The functions a client offers, in the new form (`tools`) or the old (`functions`)."""

from __future__ import annotations

from typing import Any

from app.dialects import tools as shared
from app.dialects.anthropic import tools as anthropic
from app.dialects.fields import mapping
from app.dialects.tools import Offer

# As many as OpenAI takes here, which its clients go by: https://platform.openai.com/docs/api-reference/chat/create
MAX_TOOLS = 128


def offer(tools: list[Any], param: str, ignored: list[str]) -> Offer:
    """Return the functions of `tools`, or of `functions` where `param` says so; names may repeat.

    Tools that OpenAI runs, and those without a schema, are left out. Raises BadRequest naming the field.
    """
    shared.check_number(tools, param, MAX_TOOLS)
    found = Offer()
    for index, tool in enumerate(tools):
        place = f"{param}[{index}]"
        if param == "functions":
            found.add(shared.definition(mapping(tool, place), place), place)
        else:
            _add(mapping(tool, place), place, found, ignored)
    return found


def _add(tool: dict[str, Any], param: str, offer: Offer, ignored: list[str]) -> None:
    if "input_schema" in tool and anthropic.is_function(tool):
        # So Cursor sends a Claude model's tools.
        offer.add(shared.definition(tool, param, anthropic.SCHEMA), param)
    elif tool.get("type") != "function" and "function" not in tool:
        offer.leave_out(tool, param, ignored)
    elif "function" not in tool and "name" in tool:
        # So does who writes for the Responses API.
        offer.add(shared.definition(tool, param), param)
    else:
        place = f"{param}.function"
        offer.add(shared.definition(mapping(tool.get("function"), place), place), place)
