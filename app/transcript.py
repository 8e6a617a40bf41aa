"""The assistant's turn as a client gets it, put together from a turn's events."""

from __future__ import annotations

import msgspec

from app.blocks import AnswerBlock, AnswerBlocks
from app.conversation import Block, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock, Turn
from app.events import Event


class Transcript:
    """Collects events; `turn` is what the client may hand back as the assistant's turn.

    Where it is `signed` that is the blocks in their order, signed thinking among them; else all the text, then the
    calls.
    """

    def __init__(self, *, signed: bool = False) -> None:
        self._signed = signed
        self._answer = AnswerBlocks(thinking=signed)

    def feed(self, event: Event) -> None:
        """Take note of an event."""
        self._answer.feed(event)

    def turn(self) -> Turn | None:
        """Return the turn so far, or None where nothing was said that a turn could hold."""
        blocks = self._answer.blocks if self._signed else _text_first(self._answer.blocks)
        try:
            said = [native for block in blocks if (native := _native(block)) is not None]
        except (msgspec.DecodeError, RecursionError):
            return None
        return Turn("assistant", tuple(said)) if said else None


def _text_first(blocks: list[AnswerBlock]) -> list[AnswerBlock]:
    pieces = [piece for block in blocks if block.kind == "text" for piece in block.pieces]
    return [AnswerBlock("text", pieces=pieces), *(block for block in blocks if block.kind == "tool_use")]


def _native(block: AnswerBlock) -> Block | None:
    """Return the block as a turn has it; None for what the API would not take back."""
    match block.kind:
        case "text":
            return TextBlock(block.text) if block.text.strip() else None
        case "thinking":
            return ThinkingBlock(block.text, block.signature) if block.signature else None
        case "redacted_thinking":
            return RedactedThinkingBlock(block.data)
        case "tool_use":
            return ToolUseBlock(block.id, block.name, msgspec.json.decode(block.text or "{}", type=dict))
