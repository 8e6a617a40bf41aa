"""A running turn becomes chat completion chunks: pure, from batches of events to the bytes of server-sent events."""

from __future__ import annotations

import functools

from app.dialects.chat_completions.choice_chunks import ChoiceChunks
from app.dialects.openai.objects import Identity
from app.dialects.openai.stream import ChunkStream


class ChatStream(ChunkStream):
    """Writes the chunks of one completion of `n` choices; `reasoning` shows the thinking."""

    def __init__(
        self,
        identity: Identity,
        requested_model: str,
        *,
        include_usage: bool,
        reasoning: bool = False,
        n: int = 1,
    ) -> None:
        make = functools.partial(ChoiceChunks, reasoning=reasoning)
        super().__init__(identity, "chat.completion.chunk", requested_model, make, include_usage=include_usage, n=n)
