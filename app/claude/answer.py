"""One turn's lines become events: pure, without I/O."""

from __future__ import annotations

import msgspec

from app.claude import failure
from app.claude.protocol import (
    ApiEvent,
    Assistant,
    Line,
    RateLimitEvent,
    RateLimitInfo,
    Result,
    StreamEvent,
    System,
    UsageLine,
)
from app.errors import AnswerCut, CliFailed
from app.events import Event, Restart, Retrying, TextDelta, ThinkingDelta, TurnEnd, TurnStart, Usage

BLANK_LINE = TextDelta(rb'"\n\n"')
SYNTHETIC = "<synthetic>"


class Answer:
    """Reads the lines of one turn in order; `ended` is set by its result.

    Only the main thread's lines count: a sub-agent's carry a `parent_tool_use_id`.
    """

    def __init__(self) -> None:
        self.ended = False
        self.model: str | None = None
        self._limit: RateLimitInfo | None = None
        self._tag: str | None = None
        self._stop_reason: str | None = None
        self._whole = True  # the message being streamed has got its stop reason
        self._streamed: set[str | None] = set()
        self._texts = 0  # text deltas given
        self._kept = 0  # how many of them belong to whole messages
        self._separate = False

    def feed(self, line: Line) -> list[Event]:
        """Return what the line gives to the client.

        Raises the turn's error: what the API refused, what the CLI could not do, or an answer cut off in its middle.
        """
        if isinstance(line, StreamEvent):
            return self._on_stream(line.event) if line.parent_tool_use_id is None else []
        if isinstance(line, Assistant):
            return self._on_assistant(line) if line.parent_tool_use_id is None else []
        if isinstance(line, Result):
            return self._on_result(line)
        if isinstance(line, RateLimitEvent):
            self._limit = line.rate_limit_info
        elif isinstance(line, System) and line.subtype == "api_retry":
            error = failure.of_retry(line)
            if error is not None:
                raise error
            return [*self._broken_off(), Retrying(line.attempt or 0, line.error or "unknown")]
        return []

    def _on_stream(self, event: ApiEvent) -> list[Event]:
        if event.type == "content_block_delta" and event.delta is not None:
            if event.delta.type == "text_delta":
                return self._text(bytes(event.delta.text))
            if event.delta.type == "thinking_delta":
                return [ThinkingDelta(bytes(event.delta.thinking))]
        elif event.type == "content_block_start":
            if event.content_block is not None and event.content_block.type == "text":
                self._separate = self._texts > 0
        elif event.type == "message_start" and event.message is not None:
            return self._start(event.message.id, event.message.model)
        elif event.type == "message_delta" and event.delta is not None:
            self._stop_reason = event.delta.stop_reason or self._stop_reason
            # A stream that breaks off is closed by the CLI itself, without a reason.
            self._whole = event.delta.stop_reason is not None
        return []

    def _start(self, message_id: str | None, model: str | None) -> list[Event]:
        events = self._broken_off()
        self._whole, self._kept = False, self._texts
        self._streamed.add(message_id)
        return events + self._named(model)

    def _named(self, model: str | None) -> list[Event]:
        if self.model is not None:
            return []
        self.model = model or "unknown"
        return [TurnStart(self.model)]

    def _broken_off(self) -> list[Event]:
        """Return what tells that the message before was not whole; another one replaces it."""
        broken = not self._whole and self._texts > self._kept
        self._whole = True
        if not broken:
            return []
        self._texts, self._separate = self._kept, self._kept > 0
        return [Restart(self._kept)]

    def _on_assistant(self, line: Assistant) -> list[Event]:
        if line.error is not None or line.message.model == SYNTHETIC:
            self._tag = line.error or self._tag
            return []
        if line.message.id in self._streamed:
            return []  # its deltas have been given
        # After a broken stream the CLI may ask without streaming: then the whole message is all that comes.
        events = self._broken_off() + self._named(line.message.model)
        for block in line.message.content or ():
            if block.type == "text" and block.text:
                self._separate = self._texts > 0
                events += self._text(msgspec.json.encode(block.text))
        return events

    def _text(self, json: bytes) -> list[Event]:
        if json == b'""':
            return []
        given = [BLANK_LINE, TextDelta(json)] if self._separate else [TextDelta(json)]
        self._separate = False
        self._texts += len(given)
        return [*given]

    def _on_result(self, result: Result) -> list[Event]:
        self.ended = True
        if result.is_error:
            raise failure.of_result(result, self._limit, self._tag)
        if self._broken_off() and result.stop_reason is None:
            raise AnswerCut("The Claude API's answer broke off; ask again.")
        if self.model is None:
            raise CliFailed("The claude CLI ended the turn without asking the model.", code="cli_error")
        return [TurnEnd(self._stop_reason or result.stop_reason or "end_turn", _usage(result.usage))]


def _usage(line: UsageLine | None) -> Usage:
    if line is None:
        return Usage()
    details = line.output_tokens_details
    return Usage(
        input_tokens=line.input_tokens or 0,
        output_tokens=line.output_tokens or 0,
        cache_read_tokens=line.cache_read_input_tokens or 0,
        cache_write_tokens=line.cache_creation_input_tokens or 0,
        reasoning_tokens=(details.thinking_tokens or 0) if details is not None else 0,
    )
