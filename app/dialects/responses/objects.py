"""The response object and the items of its output."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from app.blocks import AnswerBlock
from app.citations import Citation
from app.dialects.responses.schema import ReasoningConfig, ResponseRequest, TextConfig
from app.dialects.responses.tools import Names
from app.events import TurnEnd, Usage

# Why an answer is not whole, by the Messages API's stop reason.
INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}
PREFIXES = {"text": "msg", "thinking": "rs", "redacted_thinking": "rs", "step": "rs", "tool_use": "fc"}


def begun(response_id: str, request: ResponseRequest, *, stored: bool) -> dict[str, Any]:
    """Return a response that has only begun, with all that it repeats of its request."""
    text, thinking = request.text or TextConfig(), request.reasoning or ReasoningConfig()
    return {
        "id": response_id,
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens or None,
        "model": request.model,
        "output": [],
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": request.prompt_cache_key,
        "reasoning": {"effort": thinking.effort, "summary": thinking.summary or thinking.generate_summary},
        "service_tier": "default",
        "store": stored,
        "temperature": 1.0 if request.temperature is None else request.temperature,
        "text": {"format": text.format or {"type": "text"}, "verbosity": text.verbosity or "medium"},
        "tool_choice": "auto" if request.tool_choice is None else request.tool_choice,
        "tools": [_repeated(tool) for tool in request.tools or []],
        "top_p": 1.0 if request.top_p is None else request.top_p,
        "truncation": "disabled",
        "usage": None,
        "metadata": request.metadata or {},
    }


def _repeated(tool: dict[str, Any]) -> dict[str, Any]:
    # OpenAI's types require `strict`: whether a function's arguments must fit its schema. Here they need not.
    return {"strict": False, **tool} if tool.get("type") == "function" else tool


def ended(response: dict[str, Any], output: list[dict[str, Any]], end: TurnEnd) -> dict[str, Any]:
    """Return a response that is whole, or as whole as it gets."""
    reason = INCOMPLETE.get(end.stop_reason)
    return {
        **response,
        "status": "completed" if reason is None else "incomplete",
        "completed_at": int(time.time()) if reason is None else None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "output": output,
        "usage": usage_object(end.usage),
    }


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return token counts, where the input includes what the cache read and wrote."""
    total = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "input_tokens": total,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": total + usage.output_tokens,
    }


def name_of(block: AnswerBlock, response_id: str, index: int) -> str:
    """Return the id of the item that a block is."""
    return item_id(PREFIXES[block.kind], response_id, index)


def opening(block: AnswerBlock, item: str, names: Names) -> dict[str, Any]:
    """Return an item as it is when nothing has come of it; `names` are those of functions in namespaces."""
    match block.kind:
        case "text":
            return {"id": item, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        case "tool_use":
            namespace, name = names.get(block.name, (None, block.name))
            call = {"call_id": block.id, "name": name, "arguments": ""}
            if namespace is not None:
                call["namespace"] = namespace
            return {"id": item, "type": "function_call", "status": "in_progress", **call}
        case _:
            return {"id": item, "type": "reasoning", "summary": []}


def whole(
    block: AnswerBlock, item: str, names: Names, status: str = "completed", cited: Iterable[Citation] = ()
) -> dict[str, Any]:
    """Return an item with all there is of it; `cited` are the pages that its text rests on."""
    found = opening(block, item, names)
    match block.kind:
        case "text":
            return {**found, "status": status, "content": [text_part(block.json, cited)]}
        case "tool_use":
            return {**found, "status": status, "arguments": block.json}
        case _:
            return {**found, "summary": [summary_part(block.json)] if block.pieces else []}


def text_part(text: msgspec.Raw | str, cited: Iterable[Citation] = ()) -> dict[str, Any]:
    """Return the content of a message."""
    return {"type": "output_text", "text": text, "annotations": [*map(annotation, cited)], "logprobs": []}


def annotation(cited: Citation) -> dict[str, Any]:
    """Return the note of a page that the text rests on."""
    where = {"start_index": cited.start, "end_index": cited.end}
    return {"type": "url_citation", **where, "url": cited.url, "title": cited.title}


def summary_part(text: msgspec.Raw | str) -> dict[str, Any]:
    """Return what a reasoning item tells."""
    return {"type": "summary_text", "text": text}


RESPONSE = "resp_"


def new_id() -> str:
    """Return a fresh id of a response."""
    return f"{RESPONSE}{secrets.token_hex(16)}"


def item_id(prefix: str, response_id: str, index: int) -> str:
    """Return the id of an item of a response's output, such as `msg_`, letters and its index."""
    return f"{prefix}_{response_id.removeprefix(RESPONSE)}_{index}"


def response_of(item: str) -> str | None:
    """Return the id of the response that an item with this id belongs to, None for an id that is not ours."""
    parts = item.split("_")
    return f"{RESPONSE}{parts[1]}" if len(parts) == 3 else None  # noqa: PLR2004 - as item_id() makes them
