"""What a completion request may hold, as far as it is looked at; the rest is accepted and named as ignored."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from app.dialects.parameters import Answers, StreamOptions, Temperature, Tokens, TopP


class CompletionRequest(msgspec.Struct):
    """The fields looked at; null means absent. Those of type Any are checked item by item, to name the item."""

    model: Annotated[str, msgspec.Meta(max_length=500)]
    prompt: Any
    n: Answers | None = None
    echo: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    stop: Any = None
    # In range they have no effect.
    temperature: Temperature | None = None
    top_p: TopP | None = None
