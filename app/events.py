"""What a turn gives while it runs: the vocabulary between `claude` and the dialects.

A turn yields its events in batches: all that one read of the CLI's output brought, so that a dialect can answer with
one write. An empty batch means that a tick passed in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Tokens counted by the API over every round of one turn.

    The four input counts are disjoint, as in the Messages API: `input_tokens` excludes what the cache read or wrote.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Return the sum, count by count."""
        return Usage(*(getattr(self, name) + getattr(other, name) for name in Usage.__struct_fields__))

    def __sub__(self, other: Usage) -> Usage:
        """Return the difference, count by count."""
        return Usage(*(getattr(self, name) - getattr(other, name) for name in Usage.__struct_fields__))


class TurnStart(msgspec.Struct, frozen=True):
    """The model began to answer; `model` is the id the API reports, `usage` what it has counted so far."""

    model: str
    usage: Usage = Usage()


class TextDelta(msgspec.Struct, frozen=True):
    """A piece of the answer's text as the JSON string the CLI wrote, quotes included.

    It stays encoded because most pieces go out as JSON again: a dialect splices `json` into its chunk.
    """

    json: bytes

    @property
    def text(self) -> str:
        """Return the decoded text."""
        return msgspec.json.decode(self.json, type=str)


class TextBreak(msgspec.Struct, frozen=True):
    """The text goes on in another block, which has quotes of its own; nothing stands between the two."""


class Quote(msgspec.Struct, frozen=True):
    """What the block of text at hand cites, as the API says it: a passage of a document, in JSON."""

    json: bytes


class ThinkingDelta(msgspec.Struct, frozen=True):
    """A piece of the model's thinking, encoded like `TextDelta`."""

    json: bytes


class ThinkingSignature(msgspec.Struct, frozen=True):
    """The end of a block of thinking, which may have had no piece: the API's proof that it is its own."""

    signature: str


class RedactedThinking(msgspec.Struct, frozen=True):
    """A block of thinking that only the API can read."""

    data: str


class Step(msgspec.Struct, frozen=True):
    """Something that an agent does, as a line for a client that wants to see it, encoded like `TextDelta`."""

    json: bytes


class Source(msgspec.Struct, frozen=True):
    """A page that a search of the agent's has found."""

    url: str
    title: str


class ToolCallStart(msgspec.Struct, frozen=True):
    """The model begins a call of one of the client's tools; `index` counts the calls of the answer from 0."""

    index: int
    id: str
    name: str


class ToolCallDelta(msgspec.Struct, frozen=True):
    """A piece of a call's arguments: a JSON string, encoded like `TextDelta`, that holds a part of a JSON text."""

    index: int
    json: bytes


class Retrying(msgspec.Struct, frozen=True):
    """The CLI is about to ask the API again after a failure; nothing has been answered yet."""

    error: str


class Fallback(msgspec.Struct, frozen=True):
    """Another model is asked than the request's, by this name; nothing has been answered yet."""

    model: str


class Restart(msgspec.Struct, frozen=True):
    """The API's answer broke off and the CLI asks anew: of the text deltas so far only the first `keep` count.

    Calls so far do not count, nor does thinking after the last text that counts.
    """

    keep: int


class TurnEnd(msgspec.Struct, frozen=True):
    """The turn is over; `stop_reason` is the Messages API's (`end_turn`, `max_tokens`, `refusal`, ...).

    `stop_sequence` is the text that ended it, where one did.
    """

    stop_reason: str
    usage: Usage
    stop_sequence: str | None = None


class ChoiceEvent(msgspec.Struct, frozen=True):
    """An event of one of several turns that answer the same request; `choice` counts them from 0."""

    choice: int
    event: Event


Event = (
    TurnStart
    | TextDelta
    | TextBreak
    | Quote
    | ThinkingDelta
    | ThinkingSignature
    | RedactedThinking
    | Step
    | Source
    | ToolCallStart
    | ToolCallDelta
    | Retrying
    | Fallback
    | Restart
    | TurnEnd
    | ChoiceEvent
)


def placed(batch: Iterable[Event]) -> Iterator[tuple[int, Event]]:
    """Yield each event of a batch with the place of its choice, 0 where there is only one."""
    for event in batch:
        yield (event.choice, event.event) if isinstance(event, ChoiceEvent) else (0, event)
