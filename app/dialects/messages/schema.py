"""What a message request may hold, as far as it is looked at; the rest is accepted and named as ignored."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

# No model comes near, and larger numbers would overflow 32 bits somewhere.
MaxTokens = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class Thinking(msgspec.Struct):
    """Whether to think, and whether to show it."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class OutputConfig(msgspec.Struct):
    """How much effort to make, and in which form the answer is wanted."""

    effort: str | None = None
    format: dict[str, Any] | None = None


class MessageCount(msgspec.Struct):
    """What a count of tokens may hold; null means absent. What is of type Any is checked item by item."""

    model: Annotated[str, msgspec.Meta(max_length=500)]
    messages: list[Any]
    system: Any = None
    stream: bool | None = None
    stop_sequences: list[Any] | None = None
    thinking: Thinking | None = None
    tools: list[Any] | None = None
    tool_choice: dict[str, Any] | None = None
    output_config: OutputConfig | None = None
    # The name that `output_config.format` had in its beta; LiteLLM still sends it.
    output_format: dict[str, Any] | None = None


class MessageRequest(MessageCount, kw_only=True):
    """The fields looked at; null means absent. Those of type Any are checked item by item, to name the item."""

    max_tokens: MaxTokens
