"""Running turns become completion chunks: pure, from batches of events to the bytes of server-sent events."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.dialects.completions.response import KIND, finish_reason
from app.dialects.openai.answers import ChunkStream, Identity
from app.errors import AnswerCut
from app.events import Event, Restart, TextDelta, TurnEnd


class CompletionStream(ChunkStream):
    """Writes the chunks of one completion with a choice for each of `echoes`: what it begins with, "" for nothing."""

    def __init__(self, identity: Identity, requested_model: str, *, include_usage: bool, echoes: Sequence[str]) -> None:
        super().__init__(
            identity,
            KIND,
            requested_model,
            lambda head, tail, index: TextChunks(head, tail, index, echoes[index]),
            include_usage=include_usage,
            n=len(echoes),
        )


class TextChunks:
    """Writes one choice; `head` is the beginning of every chunk, up to the choices, and `tail` its end.

    The fixed parts around a piece of text are made once; the text goes between them untouched.
    """

    def __init__(self, head: bytes, tail: bytes, index: int, echo: str) -> None:
        self._sent = 0  # pieces of text
        self._echo = echo
        self._before = head + b',"choices":[{"text":'
        self._middle = b',"index":%d,"logprobs":null,"finish_reason":' % index
        self._after = self._middle + b"null}]" + tail

    def begin(self) -> bytes:
        """Return the echo's chunk, if there is one."""
        return self._before + msgspec.json.encode(self._echo) + self._after if self._echo else b""

    def empty(self) -> bytes:
        """Return a chunk that says nothing."""
        return self._before + b'""' + self._after

    def write(self, event: Event) -> bytes:
        """Return what an event adds. Raises AnswerCut when something that was sent turns out not to count."""
        match event:
            case TextDelta():
                self._sent += 1
                return self._before + event.json + self._after
            case Restart() if self._sent > event.keep:
                raise AnswerCut("The Claude API's answer broke off; ask again.")
        return b""

    def finish(self, end: TurnEnd, tail: bytes) -> bytes:
        """Return the last chunk, ending in `tail`."""
        reason = msgspec.json.encode(finish_reason(end.stop_reason))
        return self._before + b'""' + self._middle + reason + b"}]" + tail
