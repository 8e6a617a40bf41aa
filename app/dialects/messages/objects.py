"""What an answer is made of, in Anthropic's words."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from app.blocks import AnswerBlock
from app.dialects.anthropic.blocks import SHOWN
from app.events import Usage


def new_id() -> str:
    """Return a fresh id of a message."""
    return f"msg_{secrets.token_hex(12)}"


def message(identity: str, model: str, usage: Usage) -> dict[str, Any]:
    """Return a message that has nothing in it yet."""
    return {
        "id": identity,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_object(usage),
    }


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return token counts; those of the input are disjoint."""
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def opening(block: AnswerBlock) -> dict[str, Any]:
    """Return a block as it is when nothing has come of it."""
    match block.kind:
        case "text":
            return {"type": "text", "text": ""}
        case "thinking" | "step":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "redacted_thinking":
            return {"type": "redacted_thinking", "data": block.data}
        case "tool_use":
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": {}}


def whole(block: AnswerBlock) -> dict[str, Any]:
    """Return a block with all there is of it."""
    match block.kind:
        case "text":
            quotes = {"citations": block.quotes} if block.quotes else {}
            return {**opening(block), "text": block.json, **quotes}
        case "thinking":
            return {**opening(block), "thinking": block.json, "signature": block.signature}
        case "step":
            return {**opening(block), "thinking": block.json, "signature": SHOWN}
        case "redacted_thinking":
            return opening(block)
        case "tool_use":
            return {**opening(block), "input": _input(block)}


def _input(block: AnswerBlock) -> Any:
    try:
        return msgspec.json.decode(block.text, type=dict)
    except (msgspec.DecodeError, RecursionError):
        return {}  # cut by max_tokens
