"""Where an answer ends: `max_tokens` and `stop_sequences` applied to a reply's blocks."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

from app.standin.reply import Block, Reply, Text, Thinking, ToolUse

# As a tokenizer would: a word brings the space before it, the last one also what follows.
TOKEN = re.compile(r"\s*\S+\s*\Z|\s*\S+|\s+")


@dataclasses.dataclass(frozen=True)
class Piece:
    """What is left of one block: its deltas, in order, and whether the block was broken off."""

    block: Block
    chunks: tuple[str, ...]
    broken: bool = False


@dataclasses.dataclass(frozen=True)
class Abridgement:
    """A reply as it will be sent; `tokens` and `thinking_tokens` count one a word, and at least one a delta."""

    pieces: tuple[Piece, ...]
    stop_reason: str
    stop_sequence: str | None
    tokens: int
    thinking_tokens: int


def abridge(reply: Reply, max_tokens: int | None, stops: Sequence[str]) -> Abridgement:
    """Return `reply` ended by the first of: a stop sequence in a text block, `max_tokens` tokens, its own end."""
    pieces: list[Piece] = []
    reason, sequence = reply.stop_reason or _natural(reply.blocks), None
    left, thinking = max_tokens, 0
    for block in reply.blocks:
        chunks, found = _before_stop(block, stops)
        kept, used, complete = _within(chunks, left, words=isinstance(block, Text | Thinking))
        thinking += used if isinstance(block, Thinking) else 0
        left = None if left is None else left - used
        if kept or (complete and found is None):
            pieces.append(Piece(block, kept, broken=not complete))
        if not complete:
            reason = "max_tokens"
            break
        if found is not None:
            reason, sequence = "stop_sequence", found
            break
    tokens = sum(
        _cost(chunk, words=isinstance(piece.block, Text | Thinking)) for piece in pieces for chunk in piece.chunks
    )
    return Abridgement(tuple(pieces), reason, sequence, tokens, thinking)


def _natural(blocks: Iterable[Block]) -> str:
    return "tool_use" if any(isinstance(block, ToolUse) for block in blocks) else "end_turn"


def _before_stop(block: Block, stops: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    chunks = tuple(block.chunks)
    if not isinstance(block, Text):
        return chunks, None
    text = "".join(chunks)
    hits = [(text.index(stop), stop) for stop in stops if stop in text]
    if not hits:
        return chunks, None
    end, stop = min(hits)
    return tuple(_up_to(chunks, end)), stop


def _up_to(chunks: Iterable[str], end: int) -> Iterator[str]:
    for chunk in chunks:
        if end <= 0:
            return
        yield chunk[:end]
        end -= len(chunk)


def _within(chunks: Sequence[str], left: int | None, *, words: bool) -> tuple[tuple[str, ...], int, bool]:
    """Return the chunks that fit into `left` tokens, the tokens they use, and whether that is all of them."""
    kept: list[str] = []
    used = 0
    for chunk in chunks:
        cost = _cost(chunk, words=words)
        if left is not None and used + cost > left:
            part = "".join(TOKEN.findall(chunk)[: left - used]) if words else ""
            return (*kept, part) if part else tuple(kept), left, False
        kept.append(chunk)
        used += cost
    return tuple(kept), used, True


def _cost(chunk: str, *, words: bool) -> int:
    return max(1, len(TOKEN.findall(chunk))) if words else 1
