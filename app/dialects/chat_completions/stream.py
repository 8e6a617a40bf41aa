"""A running turn becomes chat completion chunks: pure, from batches of events to the bytes of server-sent events."""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from app.blocks import read
from app.citations import Citations
from app.dialects.chat_completions.response import APART, annotation
from app.dialects.openai.answers import ChunkStream, Identity, finish_reason
from app.errors import AnswerCut
from app.events import (
    Event,
    Restart,
    Source,
    Step,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStart,
    TurnEnd,
)


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


class ChoiceChunks:
    """Writes one choice; `head` is the beginning of every chunk, up to the choices, and `tail` its end.

    The fixed parts around a piece of text are made once; the text goes between them untouched.
    """

    def __init__(self, head: bytes, tail: bytes, index: int, *, reasoning: bool) -> None:
        self._reasoning = reasoning
        self._sent: list[bytes] = []  # pieces of text
        self._thought = False  # since the last step, and shown
        self._citations = Citations()
        self._called = False
        self._before = head + b',"choices":[{"index":%d,"delta":{' % index
        self._before_text = self._before + b'"content":'
        self._after = b'},"logprobs":null,"finish_reason":null}]' + tail

    def begin(self) -> bytes:
        """Return the first chunk, which tells the role."""
        return self._before + b'"role":"assistant","content":""' + self._after

    def empty(self) -> bytes:
        """Return a chunk that says nothing."""
        return self._before + self._after

    def write(self, event: Event) -> bytes:
        """Return what an event adds. Raises AnswerCut when something that was sent turns out not to count."""
        if isinstance(event, TextDelta):
            self._sent.append(event.json)
            return self._before_text + event.json + self._after
        match event:
            case ThinkingDelta() if self._reasoning:
                self._thought = True
                return self._reasoned(event.json)
            case Step():
                apart, self._thought = self._reasoned(APART) if self._thought else b"", False
                return apart + self._reasoned(event.json)
            case Source():
                self._citations.found(event)
            case ToolCallStart():
                self._called = True
                function = {"name": event.name, "arguments": ""}
                return self._call({"index": event.index, "id": event.id, "type": "function", "function": function})
            case ToolCallDelta():
                return self._call({"index": event.index, "function": {"arguments": msgspec.Raw(event.json)}})
            case Restart() if self._called or len(self._sent) > event.keep:
                raise AnswerCut("The Claude API's answer broke off; ask again.")
        return b""

    def finish(self, end: TurnEnd, tail: bytes) -> bytes:
        """Return the last chunk, ending in `tail`."""
        reason = msgspec.json.encode(finish_reason(end.stop_reason))
        return self._cited() + self._before + b'},"logprobs":null,"finish_reason":' + reason + b"}]" + tail

    def _cited(self) -> bytes:
        text = read(self._sent) if self._citations else ""
        if not (cited := self._citations.of(text, last=True)):
            return b""
        return self._before + b'"annotations":' + msgspec.json.encode([*map(annotation, cited)]) + self._after

    def _reasoned(self, json: bytes) -> bytes:
        return self._before + b'"reasoning_content":' + json + self._after

    def _call(self, part: dict[str, Any]) -> bytes:
        return self._before + b'"tool_calls":[' + msgspec.json.encode(part) + b"]" + self._after
