"""A running turn becomes chat completion chunks: pure, from batches of events to the bytes of server-sent events."""

from __future__ import annotations

import msgspec

from app.dialects.chat_completions.response import Identity, finish_reason, usage_object
from app.errors import AnswerCut, ProxyError
from app.events import Event, Restart, TextDelta, TurnEnd, TurnStart

# The seed's sign that the connection stands; a comment, which every client skips.
OPENED = b":ok\n\n"
DONE = b"data: [DONE]\n\n"


class ChatStream:
    """Writes the chunks of one completion; `requested_model` names the model until the turn tells which one answers.

    The fixed parts around a piece of text are made once; the CLI's own JSON string goes between them untouched.
    """

    def __init__(self, identity: Identity, requested_model: str, *, include_usage: bool) -> None:
        self._identity = identity
        self._model = requested_model
        self._include_usage = include_usage
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._begun = False
        self._texts = 0
        self._head = self._before = self._before_text = self._after = b""

    def opening(self) -> bytes:
        """Return what is sent before anything is known."""
        return OPENED

    def feed(self, batch: list[Event]) -> bytes:
        """Return what a batch adds to the stream, b"" for nothing.

        Raises AnswerCut when text that has been sent turns out not to count.
        """
        out: list[bytes] = []
        for event in batch:
            if isinstance(event, TextDelta):
                self._texts += 1
                out += (self._before_text, event.json, self._after)
            elif isinstance(event, TurnStart):
                if not self._begun:
                    self._model = event.model
                    out.append(self._begin())
            elif isinstance(event, Restart):
                if self._texts > event.keep:
                    raise AnswerCut("The Claude API's answer broke off; ask again.")
            elif isinstance(event, TurnEnd):
                out.append(self._finish(event))
        return b"".join(out)

    def heartbeat(self) -> bytes:
        """Return a chunk that says nothing; every client counts it as a sign of life, which comments are not."""
        return self._before + self._after if self._begun else self._begin()

    def error(self, error: ProxyError) -> bytes:
        """Return an error inside the stream; no end mark follows, so that nobody takes the answer for whole."""
        return b"data: " + msgspec.json.encode(error.body()) + b"\n\n"

    def _begin(self) -> bytes:
        self._begun = True
        who = {
            "id": self._identity.id,
            "object": "chat.completion.chunk",
            "created": self._identity.created,
            "model": self._model,
        }
        self._head = b"data: " + msgspec.json.encode(who)[:-1]
        self._before = self._head + b',"choices":[{"index":0,"delta":{'
        self._before_text = self._before + b'"content":'
        self._after = b'},"logprobs":null,"finish_reason":null}]' + self._tail
        return self._before + b'"role":"assistant","content":""' + self._after

    def _finish(self, end: TurnEnd) -> bytes:
        reason = msgspec.json.encode(finish_reason(end.stop_reason))
        choice = b'},"logprobs":null,"finish_reason":' + reason + b"}]"
        counts = b',"usage":' + msgspec.json.encode(usage_object(end.usage)) + b"}\n\n"
        if self._include_usage:
            return self._before + choice + self._tail + self._head + b',"choices":[]' + counts + DONE
        # Unasked, the counts ride on the last chunk: a chunk without choices breaks clients that do not expect it.
        return self._before + choice + counts + DONE
