"""The answers a stand-in can be told to give: content blocks, and how to deliver them."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Text:
    """A text block, one `text_delta` per chunk, `pause` seconds of silence before each but the first.

    `citations` are what it cites, as the API has them.

    >>> Text("all at once").chunks
    ('all at once',)
    """

    chunks: Sequence[str] | str
    pause: float = 0
    citations: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        """Keep the chunks as a tuple."""
        object.__setattr__(self, "chunks", _chunks(self.chunks))


@dataclasses.dataclass(frozen=True)
class Thinking:
    """A thinking block, one `thinking_delta` per chunk and then one `signature_delta`; `pause` in seconds."""

    chunks: Sequence[str] | str
    signature: str = "c3RhbmQtaW4="
    pause: float = 0

    def __post_init__(self) -> None:
        """Keep the chunks as a tuple."""
        object.__setattr__(self, "chunks", _chunks(self.chunks))


@dataclasses.dataclass(frozen=True)
class ToolUse:
    """A tool call whose input travels as `parts` pieces of JSON, `pause` seconds apart; a missing `id` is made up."""

    name: str
    input: Mapping[str, Any]
    id: str | None = None
    parts: int = 3
    pause: float = 0

    def __post_init__(self) -> None:
        """Make up an id when none was given."""
        if self.id is None:
            object.__setattr__(self, "id", f"toolu_01{uuid.uuid4().hex[:22]}")

    @property
    def chunks(self) -> tuple[str, ...]:
        """The input's JSON in at most `parts` non-empty pieces; none for an empty input, as the real API does."""
        text = json.dumps(self.input) if self.input else ""
        step = max(1, -(-len(text) // max(1, self.parts)))
        return tuple(text[start : start + step] for start in range(0, len(text), step))


@dataclasses.dataclass(frozen=True)
class WebSearch:
    """A search that the API makes by itself, as it tells it: its own call, in one piece."""

    query: str
    id: str = "srvtoolu_01stand"
    pause: float = 0

    @property
    def chunks(self) -> tuple[str, ...]:
        """The call's input."""
        return (json.dumps({"query": self.query}),)


@dataclasses.dataclass(frozen=True)
class SearchResults:
    """What such a search found: titles and addresses."""

    pages: Sequence[tuple[str, str]]
    search: str = "srvtoolu_01stand"
    pause: float = 0

    @property
    def chunks(self) -> tuple[str, ...]:
        """Nothing: the block comes whole."""
        return ()


Block = Text | Thinking | ToolUse | WebSearch | SearchResults


@dataclasses.dataclass(frozen=True)
class Reply:
    """One successful answer.

    `delay` is in seconds and comes before the headers. `input_tokens`, `output_tokens` and `thinking_tokens` are
    estimated when None; `output_tokens` includes the thinking, as in the real API. `cut_after` closes the connection
    after that many content deltas, `silent_after` writes nothing more after that many until the client has left; an
    answer that is not streamed has no deltas and comes whole. `model` None means the one that was asked for,
    `stop_reason` None means tool_use when a tool is called, else end_turn.
    """

    blocks: tuple[Block, ...]
    stop_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read: int = 0
    cache_creation: int = 0
    thinking_tokens: int | None = None
    delay: float = 0
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    model: str | None = None
    cut_after: int | None = None
    silent_after: int | None = None


def _chunks(chunks: Sequence[str] | str) -> tuple[str, ...]:
    return (chunks,) if isinstance(chunks, str) else tuple(chunks)
