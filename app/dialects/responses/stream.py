"""A running turn becomes the Responses API's events: pure, from batches to the bytes of server-sent events.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.blocks import Change
from app.citations import Citation
from app.dialects.responses import objects
from app.dialects.responses.response import Output
from app.dialects.responses.tools import NONE, Names
from app.errors import BadRequest, PlanLimit, ProxyError, QueueFull
from app.events import Event, TurnStart

# What the piece of a block is called, and what tells that the block's content is there.
DELTAS = {
    "text": "response.output_text.delta",
    "thinking": "response.reasoning_summary_text.delta",
    "step": "response.reasoning_summary_text.delta",
    "tool_use": "response.function_call_arguments.delta",
}


class ResponseStream:
    """Writes the events of one response, numbered from 0; `response` is the object that has only begun.

    `names` are those of functions in namespaces.
    """

    def __init__(self, response: dict[str, Any], names: Names = NONE, *, thinking: bool) -> None:
        self.output = Output(response, names, thinking=thinking, sent=True)
        self._number = 0

    def feed(self, batch: list[Event]) -> bytes:
        """Return what a batch adds to the stream, b"" for nothing.

        Raises AnswerCut when something that has been sent turns out not to count.
        """
        out: list[bytes] = []
        for event in batch:
            over = self.output.is_over
            changes = self.output.feed(event)
            if isinstance(event, TurnStart):
                out.append(self._begin())
            out += map(self._changed, changes)
            if self.output.is_over and not over:
                out.append(self._state(self.output.response["status"]))
        return b"".join(out)

    def heartbeat(self) -> bytes:
        """Return a sign of life that every client knows: the response has begun, or is still in progress."""
        return self._begin() or self._state("in_progress")

    def error(self, error: ProxyError) -> bytes:
        """Return the end of a response that failed."""
        begun = self._begin()
        self.output.fail(_code(error), error.message)
        return begun + self._state("failed")

    def _begin(self) -> bytes:
        """Return what says that the response has begun, b"" when that is said."""
        return b"" if self._number else self._state("created") + self._state("in_progress")

    def _state(self, name: str) -> bytes:
        return self._event(f"response.{name}", response=self.output.response)

    def _changed(self, change: Change) -> bytes:
        index, block = change.index, change.block
        if change.what == "opened":
            item = self.output.item(change)
            added = self._event("response.output_item.added", output_index=index, item=item)
            if block.kind == "text":
                added += self._at("response.content_part.added", item["id"], index, content_index=0, part=EMPTY_TEXT)
            return added
        item_id = objects.name_of(block, self.output.response["id"], index)
        if change.what == "cited":
            return b""  # a passage of a document, which OpenAI's annotations have no form for
        if change.what == "grown":
            return self._grown(change, item_id)
        return self._closed(change, item_id)

    def _grown(self, change: Change, item_id: str) -> bytes:
        index, block = change.index, change.block
        delta = msgspec.Raw(change.piece)
        if block.kind == "text":
            return self._at(DELTAS["text"], item_id, index, content_index=0, delta=delta, logprobs=[])
        if block.kind == "tool_use":
            return self._at(DELTAS["tool_use"], item_id, index, delta=delta)
        first = len(block.pieces) == 1
        part = b""
        if first:
            empty = objects.summary_part("")
            part = self._at("response.reasoning_summary_part.added", item_id, index, summary_index=0, part=empty)
        return part + self._at(DELTAS["thinking"], item_id, index, summary_index=0, delta=delta)

    def _closed(self, change: Change, item_id: str) -> bytes:
        index, block = change.index, change.block
        text = block.json
        told = b""
        if block.kind == "text":
            cited = self.output.cited(index)
            part = objects.text_part(text, cited)
            told = b"".join(self._annotated(item_id, index, number, page) for number, page in enumerate(cited))
            told += self._at("response.output_text.done", item_id, index, content_index=0, text=text, logprobs=[])
            told += self._at("response.content_part.done", item_id, index, content_index=0, part=part)
        elif block.kind == "tool_use":
            name = "response.function_call_arguments.done"
            called = self.output.item(change)["name"]
            told = self._at(name, item_id, index, name=called, arguments=text)
        elif block.pieces:
            part = objects.summary_part(text)
            told = self._at("response.reasoning_summary_text.done", item_id, index, summary_index=0, text=text)
            told += self._at("response.reasoning_summary_part.done", item_id, index, summary_index=0, part=part)
        return told + self._event("response.output_item.done", output_index=index, item=self.output.item(change))

    def _annotated(self, item_id: str, index: int, number: int, cited: Citation) -> bytes:
        where = {"content_index": 0, "annotation_index": number}
        note = objects.annotation(cited)
        return self._at("response.output_text.annotation.added", item_id, index, **where, annotation=note)

    def _at(self, kind: str, item_id: str, output_index: int, /, **fields: Any) -> bytes:
        return self._event(kind, item_id=item_id, output_index=output_index, **fields)

    def _event(self, kind: str, /, **fields: Any) -> bytes:
        data = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


EMPTY_TEXT = objects.text_part("")


def _code(error: ProxyError) -> str:
    """Return the one of OpenAI's codes for failed responses that comes nearest."""
    if isinstance(error, PlanLimit | QueueFull):
        return "rate_limit_exceeded"
    return "invalid_prompt" if isinstance(error, BadRequest) else "server_error"
