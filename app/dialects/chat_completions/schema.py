"""What a chat completion request may hold, as far as it is looked at; the rest is accepted and named as ignored."""

from __future__ import annotations

from typing import Any

import msgspec


class StreamOptions(msgspec.Struct):
    """How a stream ends."""

    include_usage: bool | None = None


class ChatRequest(msgspec.Struct):
    """The fields served today. `messages` is checked item by item, for errors that name the item."""

    model: str
    messages: list[Any]
    stream: bool | None = None
    stream_options: StreamOptions | None = None


HONOURED = frozenset(ChatRequest.__struct_fields__)
# At these values a parameter asks for nothing that we leave out.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True,),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "logprobs": (False,),
}
