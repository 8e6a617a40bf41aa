"""Blocks as JSON, for which others need not wait however long the texts in them are."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from app.conversation import (
    Base64Source,
    Block,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    TextSource,
    ToolResultBlock,
)
from app.event_loop import PIECE_LENGTH, pause, pieces

_encoder = msgspec.json.Encoder()
# The whole of a long text is copied in one go, some 30 ms for 30 MB: several turns that do so in one round of the loop
# would add up, and so would copies with no pause between them.
_one_at_a_time = threading.Lock()


def encoded(content: Sequence[Block]) -> bytes:
    """Return blocks as a JSON array."""
    parts: list[bytes] = []
    for block in content:
        if _is_long(block):
            with _one_at_a_time:
                parts.append(_encoder.encode(_in_pieces(msgspec.to_builtins(block))))
        else:
            parts.append(_encoder.encode(block))
        pause()
    separated = [part for encoded_block in parts for part in (b",", encoded_block)]
    return b"".join((b"[", *separated[1:], b"]"))


def _is_long(block: Any) -> bool:
    match block:
        case TextBlock():
            return len(block.text) > PIECE_LENGTH
        case ImageBlock() | DocumentBlock():
            return isinstance(block.source, Base64Source | TextSource) and len(block.source.data) > PIECE_LENGTH
        case ToolResultBlock():
            return any(_is_long(inner) for inner in block.content)
    return False


def _in_pieces(value: Any) -> Any:
    """Return a value with its long texts encoded already."""
    if isinstance(value, str) and len(value) > PIECE_LENGTH:
        # Between the quotes a text's parts are encoded as they would be together.
        between = [_encoder.encode(piece)[1:-1] for piece in pieces(value)]
        text = msgspec.Raw(b"".join((b'"', *between, b'"')))
        pause()
        return text
    if isinstance(value, dict):
        return {key: _in_pieces(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_in_pieces(inner) for inner in value]
    return value
