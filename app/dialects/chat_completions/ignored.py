"""Which parameters of a request have no effect here, for the header that says so."""

from __future__ import annotations

from typing import Any

from app.dialects.chat_completions.schema import ChatRequest
from app.dialects.ignored import without_effect
from app.dialects.openai.neutral import NEUTRAL as SHARED

UNUSED = ("temperature", "top_p")
HONOURED = frozenset(ChatRequest.__struct_fields__).difference(UNUSED)
NEUTRAL: dict[str, tuple[Any, ...]] = {
    **SHARED,
    "logprobs": (False,),
    "top_logprobs": (0,),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "verbosity": ("medium",),
}


def ignored(fields: dict[str, Any], request: ChatRequest) -> list[str]:
    """Return the names of the `fields` that ask for something and have no effect."""
    return without_effect(fields, HONOURED - _overruled(request), NEUTRAL)


def _overruled(request: ChatRequest) -> set[str]:
    """Return the honoured names that another one in this request leaves without effect."""
    names = set()
    if request.max_completion_tokens and request.max_completion_tokens != request.max_tokens:
        names.add("max_tokens")
    if request.tools:
        names.update(("functions", "function_call"))
    elif request.tool_choice is not None:
        names.add("function_call")
    if request.reasoning is not None and (request.reasoning_effort or request.reasoning.effort is None):
        names.add("reasoning")
    if request.modalities is not None and "text" not in request.modalities:
        names.add("modalities")
    return names
