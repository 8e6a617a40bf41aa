"""A running turn becomes the Messages API's events: pure, from batches to the bytes of server-sent events.

https://docs.claude.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.blocks import AnswerBlocks, Change
from app.dialects.anthropic.blocks import SHOWN
from app.dialects.messages import objects
from app.dialects.messages.errors import envelope
from app.errors import AnswerCut, ProxyError
from app.events import Event, Restart, TurnEnd, TurnStart

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
DELTAS = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "step": b'"thinking_delta","thinking":',
    "tool_use": b'"input_json_delta","partial_json":',
}


class MessageStream:
    """Writes the events of one message; `thinking` shows the thinking, errors name the `request_id`."""

    def __init__(self, identity: str, *, thinking: bool, request_id: str | None = None) -> None:
        self._identity = identity
        self._request_id = request_id
        self._answer = AnswerBlocks(thinking=thinking)

    def feed(self, batch: list[Event]) -> bytes:
        """Return what a batch adds to the stream, b"" for nothing.

        Raises AnswerCut when something that has been sent turns out not to count.
        """
        return b"".join(self._write(event) for event in batch)

    def heartbeat(self) -> bytes:
        """Return a sign of life.

        Before the message begins as well, which takes the API long: a ping may come anywhere, and a `message_start`
        made up for it would have neither the model nor the counts of the true one.
        """
        return PING

    def error(self, error: ProxyError) -> bytes:
        """Return an error inside the stream, after which nothing comes."""
        return _event("error", envelope(error, self._request_id))

    def _write(self, event: Event) -> bytes:
        match event:
            case TurnStart():
                message = objects.message(self._identity, event.model, event.usage)
                return _event("message_start", {"type": "message_start", "message": message})
            case TurnEnd():
                return self._changed(self._answer.close()) + _end(event)
            case Restart():
                if self._answer.loses(event.keep):
                    raise AnswerCut("The Claude API's answer broke off; ask again.")
                # Thinking that was sent stays, without the signature that would make it count.
                return self._changed(self._answer.close())
        return self._changed(self._answer.feed(event))

    def _changed(self, changes: list[Change]) -> bytes:
        return b"".join(map(_change, changes))


def _change(change: Change) -> bytes:
    block = change.block
    if change.what == "opened":
        return _block_event("content_block_start", change.index, content_block=objects.opening(block))
    if change.what == "grown":
        return (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":'
            % change.index
            + DELTAS[block.kind]
            + change.piece
            + b"}}\n\n"
        )
    if change.what == "cited":
        delta = {"type": "citations_delta", "citation": msgspec.Raw(change.piece)}
        return _block_event("content_block_delta", change.index, delta=delta)
    signed = b""
    if signature := SHOWN if block.kind == "step" else block.signature:
        delta = {"type": "signature_delta", "signature": signature}
        signed = _block_event("content_block_delta", change.index, delta=delta)
    return signed + _block_event("content_block_stop", change.index)


def _end(end: TurnEnd) -> bytes:
    delta = {"stop_reason": end.stop_reason, "stop_sequence": end.stop_sequence}
    usage = objects.usage_object(end.usage)
    told = _event("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
    return told + _event("message_stop", {"type": "message_stop"})


def _block_event(kind: str, index: int, **fields: Any) -> bytes:
    return _event(kind, {"type": kind, "index": index, **fields})


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
