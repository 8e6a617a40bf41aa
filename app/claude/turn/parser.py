"""The parser of the CLI's events: one turn's lines become events of ours. Pure, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from app.claude.cli import structured
from app.claude.cli.incoming import (
    ApiEvent,
    Assistant,
    ContentBlock,
    Delta,
    Line,
    RateLimitEvent,
    RateLimitInfo,
    Result,
    StreamEvent,
    System,
    UsageLine,
    User,
)
from app.claude.cli.tools import ToolCalls
from app.claude.turn import failure
from app.claude.turn.work import Work
from app.conversation import Conversation
from app.errors import AnswerCut, CliFailed, ToolChoiceUnsatisfied
from app.events import (
    Event,
    Quote,
    RedactedThinking,
    Restart,
    Retrying,
    TextBreak,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    TurnEnd,
    TurnStart,
    Usage,
)
from app.models import Limits

BLANK_LINE = TextDelta(rb'"\n\n"')
SYNTHETIC = "<synthetic>"
BROKE_OFF = "The Claude API's answer broke off; ask again."
NO_CALL = "You did not call a tool. Call one now, as you were told to."
NO_TOOL = "That tool does not exist. Go on without it."
# Why the CLI ends a turn in which it may ask the API nothing more.
LIMITED = "blocking_limit"
# An answer may be cut soon when it has as many bytes as it may have tokens, but for so many: most have three or four
# for each. What is told of thinking is a summary, by so much shorter.
NEAR, SUMMARIZED = 256, 4
# How often the model may be asked within one turn: a tool that does not exist, or (2.1.120) a schema that is satisfied
# already, makes the CLI ask again, and each time spends.
MAX_ROUNDS = 16


class AnswerParser:
    """Reads the lines of one turn in order; `ended` is set when the turn has given all that is the client's.

    After it `open_calls` are the plain ids of the calls whose results the process waits for; None means that what the
    process has in mind is not what the client was given, so that it cannot go on with this conversation.

    Only the main thread's lines count: a sub-agent's carry a `parent_tool_use_id`. Where the answer must satisfy a
    schema, its text is the model's aside and only the object counts.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.ended = False
        self.model: str | None = None
        self.complaint = ""  # set where it ended without a TurnEnd: tells the model how to mend its answer
        self.open_calls: frozenset[str] | None = None
        self.held = False  # the CLI has been kept from asking the API more than once
        self.limit: RateLimitInfo | None = None  # what was said last about the plan's use
        self.models: Mapping[str, Limits] = {}  # what was said of the models that were used
        self._options = conversation.options
        # With tools of its own the CLI asks the API again and again. It remembers more than the client is given, which
        # helps the next turn.
        self._agent = conversation.workplace is not None
        self._work = Work(conversation.show)
        # Only then is it certain that the answer needs no second message.
        self._single = not (self._agent or self._options.schema or self._options.tool_choice.must_call)
        self._lone = False  # the current message has not broken off
        self._size = 0  # of the current message, in bytes
        self._conversation = conversation
        self._block = ""  # the kind of the block before in this message
        self._repaired = False
        self._exact = conversation.options.schema is None  # the process remembers what the client was given
        self._rounds = 0
        self._tools = ToolCalls(conversation.offered)
        self._stops = Stops(conversation.options.stop) if conversation.options.stop else None
        self._counted = Usage()  # of the messages before the current one
        self._counting = Usage()  # of the current one
        self._thought = False  # the current message has had thinking
        self._tag: str | None = None
        self._stop_reason: str | None = None
        self._stop_sequence: str | None = None
        self._whole = True  # the message being streamed has got its stop reason
        self._streamed: set[str | None] = set()
        self._texts = 0  # text deltas given
        self._kept = 0  # how many of them belong to whole messages
        self._separate = False

    @property
    def usage(self) -> Usage:
        """The tokens counted so far."""
        return self._counted + self._counting

    def feed(self, line: Line) -> list[Event]:
        """Return what the line gives to the client.

        Raises the turn's error: what the API refused, what the CLI could not do, or an answer cut off in its middle.
        """
        if self.ended:
            return []
        if isinstance(line, StreamEvent):
            return self._on_stream(line.event) if line.parent_tool_use_id is None else []
        if isinstance(line, Assistant):
            return self._on_assistant(line) if line.parent_tool_use_id is None else []
        if isinstance(line, User):
            return self._work.gave(line) if self._agent and line.parent_tool_use_id is None else []
        if isinstance(line, Result):
            return self._on_result(line)
        if isinstance(line, RateLimitEvent):
            self.limit = line.rate_limit_info
        elif isinstance(line, System) and line.subtype == "api_retry":
            error = failure.of_retry(line)
            if error is not None:
                raise error
            return [*self._broken_off(), Retrying(str(line.error or "unknown"))]
        return []

    @property
    def near_bound(self) -> bool:
        """Whether the answer may be cut at `max_tokens` soon, and nothing is wanted of the API beyond it.

        The CLI would ask the API to go on, within milliseconds.
        """
        bound = self._options.max_tokens
        return bound is not None and self._single and self._lone and self._size + NEAR >= bound

    def repair(self) -> None:
        """Take up another round of the same turn, the last one, after the `complaint`."""
        self.ended, self.complaint, self._repaired = False, "", True

    def _on_stream(self, event: ApiEvent) -> list[Event]:
        match event.type:
            case "content_block_delta" if event.delta is not None:
                return self._on_delta(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                return self._on_block(event.index, event.content_block)
            case "content_block_stop":
                return self._held_back() + self._tools.stop(event.index)
            case "message_start" if event.message is not None:
                self._counted += self._counting
                self._counting = _usage(event.message.usage, Usage())
                return self._start(event.message.id, event.message.model)
            case "message_delta" if event.delta is not None:
                self._counting = _usage(event.usage, self._counting)
                return self._stopping(event.delta)
            case "message_stop" if self._whole and self._tools.calls and self._stop_reason == "tool_use":
                if self._exact and not self._tools.foreign:
                    self.open_calls = frozenset(self._tools.ids)
                return self._end("tool_use")
        return []

    def _on_block(self, index: int, block: ContentBlock) -> list[Event]:
        before, self._block = self._block, block.type
        match block.type:
            case "tool_use":
                self._single = False
                return self._tools.start(index, block)
            case "redacted_thinking":
                self._thought = True
                self._size += len(block.data)
                return [RedactedThinking(block.data)]
            case "text" if before == "text" and self._conversation.cites:
                return [TextBreak()]  # what is cited divides a text, even in the middle of a sentence
            case "text":
                self._separate = self._separate or self._texts > 0
        return []

    def _on_delta(self, index: int, delta: Delta) -> list[Event]:
        match delta.type:
            case "text_delta":
                self._size += len(bytes(delta.text))
                return self._text(bytes(delta.text))
            case "input_json_delta":
                return self._tools.delta(index, bytes(delta.partial_json))
            case "citations_delta" if self._options.schema is None:
                return [Quote(bytes(delta.citation))]
            case "thinking_delta":
                self._thought = True
                self._size += SUMMARIZED * len(bytes(delta.thinking))
                return [ThinkingDelta(bytes(delta.thinking))]
            case "signature_delta":
                self._thought = True
                self._size += len(delta.signature)
                return [ThinkingSignature(delta.signature)]
        return []

    def _start(self, message_id: str | None, model: str | None) -> list[Event]:
        events = self._broken_off()
        self._rounds += 1
        self._exact = self._exact and (self._agent or self._rounds == 1)
        if self._rounds > MAX_ROUNDS and not self._agent:
            raise CliFailed("The model asked for one thing after the other that it cannot have.", code="cli_error")
        self._whole, self._thought, self._kept, self._block = False, False, self._texts, ""
        self._lone, self._size = True, 0
        self._tools.forget()
        self._streamed.add(message_id)
        return events + self._named(model)

    def _stopping(self, delta: Delta) -> list[Event]:
        # A stream that breaks off is closed by the CLI itself, without a reason.
        reason = delta.stop_reason
        self._whole = reason is not None
        self._lone = self._lone and self._whole
        self._stop_reason = reason or self._stop_reason
        self._stop_sequence = delta.stop_sequence
        # The CLI would ask the API to go on, and after a refusal ask again; the client wants neither.
        bound = self._options.max_tokens is not None
        over = (reason == "max_tokens" and bound) or (reason == "refusal" and not self._agent)
        return self._end(str(reason)) if over else []

    def _named(self, model: str | None) -> list[Event]:
        if self.model is not None:
            return []
        self.model = model or "unknown"
        return [TurnStart(self.model, self.usage)]

    def _broken_off(self) -> list[Event]:
        """Return what tells that the message before was not whole; another one replaces it."""
        broken = not self._whole and (self._texts > self._kept or self._tools.calls > 0 or self._thought)
        self._whole = True
        if not broken:
            return []
        self._exact = False
        self._texts, self._separate = self._kept, self._kept > 0
        self._tools.forget()
        if self._stops is not None:
            self._stops.flush()
        return [Restart(self._kept)]

    def _on_assistant(self, line: Assistant) -> list[Event]:
        if line.error is not None or line.message.model == SYNTHETIC:
            self._tag = line.error or self._tag
            return []
        if line.message.id in self._streamed:
            return self._called(line)  # its deltas have been given
        # After a broken stream the CLI may ask without streaming: then the whole message is all that comes.
        events = self._broken_off() + self._named(line.message.model)
        self._exact, self._stop_reason = False, None  # its result tells how it ended
        for index, block in enumerate(line.message.content or ()):
            if block.type == "tool_use":
                events += self._tools.whole(index, block)
            elif block.type == "thinking":
                thinking = ThinkingDelta(msgspec.json.encode(block.thinking or ""))
                events += [thinking, ThinkingSignature(block.signature or "")]
            elif block.type == "redacted_thinking":
                events.append(RedactedThinking(block.data))
            elif block.type == "text" and block.text:
                self._separate = self._texts > 0
                events += self._text(msgspec.json.encode(block.text))
        events += self._called(line)
        if self._tools.calls:
            events += self._end("tool_use")
        return events

    def _called(self, line: Assistant) -> list[Event]:
        """Return what tells of the calls that are not the client's."""
        calls = (block for block in line.message.content or () if block.type == "tool_use" and self._agent)
        return [event for call in calls if self._tools.client(call.name) is None for event in self._work.called(call)]

    def _text(self, json: bytes) -> list[Event]:
        if self._options.schema is not None:
            return []
        if self._stops is None:
            return self._given(json)
        events = self._given(msgspec.json.encode(self._stops.feed(TextDelta(json).text)))
        # The API stops there by itself, unless the sequence is one that it refuses.
        if self._stops.found is None:
            return events
        self._stop_sequence = self._stops.found
        return events + self._end("stop_sequence")

    def _held_back(self) -> list[Event]:
        return self._given(msgspec.json.encode(self._stops.flush())) if self._stops is not None else []

    def _given(self, json: bytes) -> list[Event]:
        if json == b'""':
            return []
        if not json.startswith(b'"'):
            # Text goes into the client's chunk as it is, so anything else would break that.
            raise CliFailed("The claude CLI sent a piece of text that is no text.", code="cli_protocol")
        given = [BLANK_LINE, TextDelta(json)] if self._separate else [TextDelta(json)]
        self._exact = self._exact and (self._agent or not (self._separate or self._tools.calls))
        self._separate = False
        self._texts += len(given)
        return [*given]

    def _on_result(self, result: Result) -> list[Event]:
        if result.usage is not None:  # the sum of the whole turn
            self._counted, self._counting = Usage(), _usage(result.usage, Usage())
        self.models = result.model_usage or {}
        if result.is_error:
            return self._on_failure(result)
        if self._broken_off() and result.stop_reason is None:
            raise AnswerCut(BROKE_OFF)
        if self.model is None:
            raise CliFailed("The claude CLI ended the turn without asking the model.", code="cli_error")
        reason = self._stop_reason or result.stop_reason or "end_turn"
        if self._options.tool_choice.must_call:
            if self._repaired:
                raise ToolChoiceUnsatisfied("The model called no tool, although tool_choice asked for it.")
            return self._complain(NO_CALL)
        if self._options.schema is not None:
            return self._in_form(self._options.schema, result, reason)
        if self._exact and reason == "end_turn":
            self.open_calls = frozenset()
        return self._end(reason)

    def _on_failure(self, result: Result) -> list[Event]:
        if self._stop_reason == "refusal":
            return self._end("refusal")
        if self.held and result.terminal_reason == LIMITED:  # it was kept from asking once more
            if not self._whole or self._stop_reason is None:
                raise AnswerCut(BROKE_OFF)
            if self._stop_reason == "tool_use":  # it has answered a call itself, before it heard that it may go on
                return self._complain(NO_TOOL)
            return self._end(self._stop_reason)
        raise failure.of_result(result, self.limit, self._tag)

    def _in_form(self, schema: dict[str, Any], result: Result, reason: str) -> list[Event]:
        # The client does not see the call that carries the object.
        told = "refusal" if reason == "refusal" else "end_turn"
        try:
            return structured.content(result, reason, schema) + self._end(told)
        except structured.Misfit as misfit:
            if self._repaired:
                raise
            return self._complain(misfit.complaint)

    def _complain(self, complaint: str) -> list[Event]:
        self.ended, self.complaint = True, complaint
        return []

    def _end(self, reason: str) -> list[Event]:
        self.ended = True
        sequence = self._stop_sequence if reason == "stop_sequence" else None
        return [*self._held_back(), TurnEnd(reason, self.usage, sequence)]


class Stops:
    """Looks for the first of several texts in a stream of pieces.

    What may be the beginning of one is held back until the next piece decides, so no part of it ever gets out.
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = texts
        self._held = ""
        self.found: str | None = None

    def feed(self, piece: str) -> str:
        """Return what is certain not to belong to a stop sequence; `found` tells which has come."""
        text = self._held + piece
        hits = [(place, stop) for stop in self._texts if (place := text.find(stop)) >= 0]
        if hits:
            place, self.found = min(hits)
            self._held = ""
            return text[:place]
        keep = max((_overlap(text, stop) for stop in self._texts), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return what was held back and turned out to belong to no stop sequence."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of `text` begin `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-length:]):
            return length
    return 0


def _usage(line: UsageLine | None, before: Usage) -> Usage:
    """Return what a message has used. Counts are totals of the message; one that a line leaves out stays as it was."""
    if line is None:
        return before
    details = line.output_tokens_details
    told = {
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "cache_read_tokens": line.cache_read_input_tokens,
        "cache_write_tokens": line.cache_creation_input_tokens,
        "reasoning_tokens": details.thinking_tokens if details is not None else None,
    }
    return msgspec.structs.replace(before, **{name: count for name, count in told.items() if count is not None})
