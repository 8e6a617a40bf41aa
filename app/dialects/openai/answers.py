"""What OpenAI's answers have in common: identity, reasons and usage, a stream of chunks, and errors."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from app.dialects.dialect import Envelope
from app.errors import ProxyError
from app.events import Event, Fallback, TurnEnd, TurnStart, Usage, placed


def envelope(error: ProxyError, request_id: str | None = None) -> dict[str, Any]:
    """Return the body of an error, always with all four keys."""
    del request_id  # it is in the headers
    return {"error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code}}


ENVELOPE = Envelope(lambda error: error.status, envelope, time_header="openai-processing-ms")


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


DONE = b"data: [DONE]\n\n"


class ChoiceWriter(Protocol):
    """Writes the chunks of one choice."""

    def begin(self) -> bytes:
        """Return what comes before anything is known, b"" for nothing."""

    def empty(self) -> bytes:
        """Return a chunk that says nothing."""

    def write(self, event: Event) -> bytes:
        """Return what an event adds. Raises AnswerCut when something that was sent turns out not to count."""

    def finish(self, end: TurnEnd, tail: bytes) -> bytes:
        """Return the last chunk, ending in `tail`."""


# Makes the choice of an index from the beginning of every chunk, up to the choices, and from its end.
MakeChoiceWriter = Callable[[bytes, bytes, int], ChoiceWriter]


class ChunkStream:
    """Writes the chunks of one answer of `n` choices.

    `kind` is the `object` of a chunk; `requested_model` names the model until a turn tells which one answers.
    """

    def __init__(
        self,
        identity: Identity,
        kind: str,
        requested_model: str,
        make: MakeChoiceWriter,
        *,
        include_usage: bool,
        n: int,
    ) -> None:
        self._identity = identity
        self._kind = kind
        self._requested_model = requested_model
        self._make = make
        self._include_usage = include_usage
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._head = b""
        self._choices: list[ChoiceWriter] = []
        self._n = n
        self._open = set(range(n))
        self._usage = Usage()

    def feed(self, batch: list[Event]) -> bytes:
        """Return what a batch adds to the stream, b"" for nothing.

        Raises AnswerCut when text that has been sent turns out not to count.
        """
        out: list[bytes] = []
        for place, event in placed(batch):
            if isinstance(event, TurnStart):
                out.append(self._begin(event.model))
            elif isinstance(event, Fallback):
                self._requested_model = event.model
            elif isinstance(event, TurnEnd):
                out.append(self._finish(place, event))
            elif self._choices:
                out.append(self._choices[place].write(event))
        return b"".join(out)

    def heartbeat(self) -> bytes:
        """Return a chunk that says nothing; every client counts it as a sign of life, which comments are not."""
        # After its last chunk a choice must have no other.
        return self._begin(self._requested_model) or self._choices[min(self._open, default=0)].empty()

    def error(self, error: ProxyError) -> bytes:
        """Return an error inside the stream; no end mark follows, so that nobody takes the answer for whole."""
        return b"data: " + msgspec.json.encode(envelope(error)) + b"\n\n"

    def _begin(self, model: str) -> bytes:
        if self._choices:
            return b""
        who = {"id": self._identity.id, "object": self._kind, "created": self._identity.created, "model": model}
        self._head = b"data: " + msgspec.json.encode(who)[:-1]
        self._choices = [self._make(self._head, self._tail, index) for index in range(self._n)]
        return b"".join(choice.begin() for choice in self._choices)

    def _finish(self, place: int, end: TurnEnd) -> bytes:
        self._usage = self._usage + end.usage
        self._open.discard(place)
        choice = self._choices[place]
        if self._open:
            return choice.finish(end, self._tail)
        counts = b',"usage":' + msgspec.json.encode(usage_object(self._usage)) + b"}\n\n"
        if self._include_usage:
            return choice.finish(end, self._tail) + self._head + b',"choices":[]' + counts + DONE
        # The last chunk carries the counts where they were not asked for: a chunk without choices breaks such clients.
        return choice.finish(end, counts) + DONE
