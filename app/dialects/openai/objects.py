"""What every answer repeats, in OpenAI's words: its identity, why it ended and what it cost."""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec

from app.events import Usage

# The Messages API's stop reasons in OpenAI's words; clients fail on any other word.
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class Identity(msgspec.Struct, frozen=True):
    """What every chunk of one answer repeats; `created` is in unix seconds."""

    id: str
    created: int

    @classmethod
    def new(cls, prefix: str) -> Identity:
        """Return a fresh id, such as `chatcmpl-` and letters, and the time."""
        return cls(f"{prefix}-{secrets.token_hex(12)}", int(time.time()))


def finish_reason(stop_reason: str) -> str:
    """Return OpenAI's word for why the answer ended."""
    return FINISH_REASONS.get(stop_reason, "stop")


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return token counts in OpenAI's shape, where the prompt includes what the cache read and wrote."""
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
