"""A reply as the API's own events, or as one message: pure, no input or output.

The order of the events is the Messages API's (https://docs.claude.com/en/docs/build-with-claude/streaming).
"""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from app.standin import abridgement
from app.standin.reply import Reply, SearchResults, Text, Thinking, ToolUse, WebSearch


@dataclasses.dataclass(frozen=True)
class Event:
    """One server-sent event: `pause` seconds of silence come before it; `delta` marks a piece of content."""

    data: Mapping[str, Any]
    pause: float = 0
    delta: bool = False

    @property
    def usage(self) -> Mapping[str, Any]:
        """What it tells the answer has used up to it, if it tells that."""
        told: Mapping[str, Any] = self.data.get("message", self.data).get("usage", {})
        return told

    def encode(self) -> bytes:
        """Return the event as its two lines and the blank one."""
        text = json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))
        return f"event: {self.data['type']}\ndata: {text}\n\n".encode()


def events(reply: Reply, body: Mapping[str, Any]) -> Iterator[Event]:
    """Yield the events that answer `body` with `reply`, ended where its `max_tokens` or `stop_sequences` say so."""
    short = _abridge(reply, body)
    usage = _usage(reply, body, short)
    start = {**usage, "output_tokens": 1}
    del start["output_tokens_details"]
    yield Event({"type": "message_start", "message": _envelope(reply, body, start)})
    yield Event({"type": "ping"})
    for index, piece in enumerate(short.pieces):
        yield from _block(index, piece)
    delta = {"stop_reason": short.stop_reason, "stop_sequence": short.stop_sequence}
    yield Event({"type": "message_delta", "delta": delta, "usage": usage})
    yield Event({"type": "message_stop"})


def message(reply: Reply, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message that answers `body` when it did not ask for a stream."""
    short = _abridge(reply, body)
    whole = _envelope(reply, body, _usage(reply, body, short))
    content = [_whole(piece) for piece in short.pieces]
    return {**whole, "content": content, "stop_reason": short.stop_reason, "stop_sequence": short.stop_sequence}


def input_tokens(body: Mapping[str, Any]) -> int:
    """Return an estimate of the tokens of what a request says."""
    prompt = [body.get("system"), body.get("tools"), body.get("messages")]
    return max(1, len(json.dumps(prompt)) // 4)


def _abridge(reply: Reply, body: Mapping[str, Any]) -> abridgement.Abridgement:
    return abridgement.abridge(reply, body.get("max_tokens"), body.get("stop_sequences", ()))


def _envelope(reply: Reply, body: Mapping[str, Any], usage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_01{uuid.uuid4().hex[:22]}",
        "type": "message",
        "role": "assistant",
        "model": reply.model or body.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _usage(reply: Reply, body: Mapping[str, Any], short: abridgement.Abridgement) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens(body) if reply.input_tokens is None else reply.input_tokens,
        "cache_creation_input_tokens": reply.cache_creation,
        "cache_read_input_tokens": reply.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": reply.cache_creation, "ephemeral_1h_input_tokens": 0},
        "output_tokens": short.tokens if reply.output_tokens is None else reply.output_tokens,
        "output_tokens_details": {
            "thinking_tokens": short.thinking_tokens if reply.thinking_tokens is None else reply.thinking_tokens
        },
        "service_tier": "standard",
    }


def _block(index: int, piece: abridgement.Piece) -> Iterator[Event]:
    block = piece.block
    yield Event({"type": "content_block_start", "index": index, "content_block": _opening(piece)})
    if isinstance(block, ToolUse):
        # The real API opens every input with an empty piece; an empty input has no other.
        yield _delta(index, {"type": "input_json_delta", "partial_json": ""}, counted=False)
    for number, chunk in enumerate(piece.chunks):
        yield _delta(index, _content(piece, chunk), pause=block.pause if number else 0)
    for citation in block.citations if isinstance(block, Text) else ():
        yield _delta(index, {"type": "citations_delta", "citation": citation}, counted=False)
    if isinstance(block, Thinking) and not piece.broken:
        yield _delta(index, {"type": "signature_delta", "signature": block.signature}, counted=False)
    yield Event({"type": "content_block_stop", "index": index})


def _delta(index: int, delta: Mapping[str, Any], pause: float = 0, *, counted: bool = True) -> Event:
    return Event({"type": "content_block_delta", "index": index, "delta": delta}, pause, counted)


def _opening(piece: abridgement.Piece) -> dict[str, Any]:
    match piece.block:
        case Text():
            return {"type": "text", "text": ""}
        case Thinking():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case ToolUse(name=name, id=call):
            return {"type": "tool_use", "id": call, "name": name, "input": {}}
        case WebSearch(id=call):
            return {"type": "server_tool_use", "id": call, "name": "web_search", "input": {}}
        case SearchResults(pages=pages, search=call):
            return {"type": "web_search_tool_result", "tool_use_id": call, "content": [_page(*page) for page in pages]}


def _page(title: str, url: str) -> dict[str, Any]:
    return {"type": "web_search_result", "title": title, "url": url, "encrypted_content": "c3RhbmQ=", "page_age": None}


def _content(piece: abridgement.Piece, chunk: str) -> dict[str, Any]:
    match piece.block:
        case Text():
            return {"type": "text_delta", "text": chunk}
        case Thinking():
            return {"type": "thinking_delta", "thinking": chunk}
        case _:
            return {"type": "input_json_delta", "partial_json": chunk}


def _whole(piece: abridgement.Piece) -> dict[str, Any]:
    opening = _opening(piece)
    match piece.block:
        case Text(citations=citations):
            cited = {"citations": list(citations)} if citations else {}
            return {**opening, "text": "".join(piece.chunks), **cited}
        case Thinking(signature=signature):
            return {**opening, "thinking": "".join(piece.chunks), "signature": signature}
        case ToolUse(input=value):
            return {**opening, "input": {} if piece.broken else dict(value)}
        case WebSearch(query=query):
            return {**opening, "input": {} if piece.broken else {"query": query}}
        case SearchResults():
            return opening
