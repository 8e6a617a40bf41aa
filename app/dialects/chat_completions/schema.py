"""What a chat completion request may hold, as far as it is looked at; the rest is accepted and named as ignored."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from app.dialects.parameters import Answers, StreamOptions, Temperature, Tokens, TopP


class Reasoning(msgspec.Struct):
    """How much to think, in the form newer clients use."""

    effort: str | None = None


class ChatRequest(msgspec.Struct):
    """The fields looked at; null means absent. Those of type Any are checked item by item, to name the item."""

    model: Annotated[str, msgspec.Meta(max_length=500)]
    messages: list[Any]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Answers | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    functions: list[Any] | None = None
    function_call: Any = None
    response_format: dict[str, Any] | None = None
    max_completion_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    stop: Any = None
    reasoning_effort: str | None = None
    reasoning: Reasoning | None = None
    modalities: list[Any] | None = None
    # Anthropic's API has it here, and so do clients that know that the model is Claude.
    system: Any = None
    session_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    prompt_cache_key: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    # In range they have no effect.
    temperature: Temperature | None = None
    top_p: TopP | None = None
