"""A finished turn becomes a chat completion object."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from app.events import Event, Restart, TextDelta, TurnEnd, TurnStart, Usage

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
    """What every chunk of one completion repeats; `created` is in unix seconds."""

    id: str
    created: int

    @classmethod
    def new(cls) -> Identity:
        """Return a fresh id and the time."""
        return cls(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()))


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


def completion(batches: Iterable[list[Event]], identity: Identity) -> bytes:
    """Read a turn to its end and return the completion as JSON. Raises what the turn raises."""
    pieces: list[bytes] = []
    model, end = "", TurnEnd("end_turn", Usage())
    for batch in batches:
        for event in batch:
            if isinstance(event, TextDelta):
                pieces.append(event.json[1:-1])
            elif isinstance(event, Restart):
                del pieces[event.keep :]
            elif isinstance(event, TurnStart):
                model = event.model
            elif isinstance(event, TurnEnd):
                end = event
    # The pieces are JSON strings already: joined they are one, without decoding.
    content = msgspec.Raw(b'"' + b"".join(pieces) + b'"') if pieces else None
    refusal = content if end.stop_reason == "refusal" else None
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(end.stop_reason)}
    return msgspec.json.encode(
        {
            "id": identity.id,
            "object": "chat.completion",
            "created": identity.created,
            "model": model,
            "choices": [choice],
            "usage": usage_object(end.usage),
        }
    )
