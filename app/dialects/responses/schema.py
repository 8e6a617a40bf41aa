"""What a request for a response may hold, as far as it is looked at; the rest is accepted and named as ignored."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from app.dialects.parameters import Temperature, Tokens, TopP


class ReasoningConfig(msgspec.Struct):
    """How much to think, and whether to tell of it."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class TextConfig(msgspec.Struct):
    """In which form the answer is wanted."""

    format: dict[str, Any] | None = None
    verbosity: str | None = None


class ResponseRequest(msgspec.Struct):
    """The fields looked at; null means absent. Those of type Any are checked item by item, to name the item."""

    model: Annotated[str, msgspec.Meta(max_length=500)]
    input: Any = None
    instructions: str | None = None
    stream: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    max_output_tokens: Tokens | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    metadata: dict[str, Any] | None = None
    prompt_cache_key: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    # In range they have no effect.
    temperature: Temperature | None = None
    top_p: TopP | None = None
