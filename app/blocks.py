"""The blocks of an answer, in their order, put together from a turn's events, and the message that they make."""

from __future__ import annotations

import dataclasses
import json
from typing import Literal

import msgspec

from app.conversation import Block, Message, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock
from app.events import (
    Event,
    Quote,
    RedactedThinking,
    Restart,
    Step,
    TextBreak,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallStart,
)

Kind = Literal["text", "thinking", "redacted_thinking", "step", "tool_use"]


@dataclasses.dataclass(eq=False)
class AnswerBlock:
    """A block while it grows: its text, thinking, steps or arguments are JSON strings in `pieces`.

    `quotes` is what a text cites, as the API says it, `id` and `name` are a call's, `signature` is that of thinking,
    `data` what redacted thinking holds.
    """

    kind: Kind
    id: str = ""
    name: str = ""
    signature: str = ""
    data: str = ""
    pieces: list[bytes] = dataclasses.field(default_factory=list)
    quotes: list[msgspec.Raw] = dataclasses.field(default_factory=list)

    @property
    def json(self) -> msgspec.Raw:
        """Return the pieces as one JSON string."""
        return joined(self.pieces)

    @property
    def text(self) -> str:
        """Return the pieces as one text; characters cut in two between them are whole again."""
        return msgspec.json.decode(joined(self.pieces), type=str)


class Change(msgspec.Struct, frozen=True):
    """What an event did to the block at `index`: `what` says whether it began, grew by `piece`, cites it or ended."""

    what: Literal["opened", "grown", "cited", "closed"]
    index: int
    block: AnswerBlock
    piece: bytes = b""


class AnswerBlocks:
    """Collects events; `thinking` says whether thinking is among the blocks.

    Text goes into the last block as long as nothing else came between. At most one block is open, the last. What an
    agent does, where it is shown, is in blocks of its own, which no message has: a dialect shows them as thinking.
    """

    def __init__(self, *, thinking: bool) -> None:
        self.blocks: list[AnswerBlock] = []
        self._thinking = thinking
        self._open = False
        self._calls: dict[int, int] = {}  # a call's index -> its block's

    def feed(self, event: Event) -> list[Change]:
        """Take up an event; return what changed, in order."""
        match event:
            case TextDelta() | Step():
                return self._grow("text" if isinstance(event, TextDelta) else "step", event.json)
            case TextBreak():
                return self.close()
            case Quote():
                return self._quote(event.json)
            case ThinkingDelta() if self._thinking:
                return self._grow("thinking", event.json)
            case ThinkingSignature() if self._thinking:
                return self._sign(event.signature)
            case RedactedThinking() if self._thinking:
                return [*self._begin(AnswerBlock("redacted_thinking", data=event.data)), *self.close()]
            case ToolCallStart():
                changes = self._begin(AnswerBlock("tool_use", id=event.id, name=event.name))
                self._calls[event.index] = len(self.blocks) - 1
                return changes
            case ToolCallDelta():
                return [self._add(self._calls[event.index], event.json)]
            case Restart():
                self._drop(event.keep)
        return []

    def close(self) -> list[Change]:
        """End the block that is open, if there is one."""
        if not self._open:
            return []
        self._open = False
        return [Change("closed", len(self.blocks) - 1, self.blocks[-1])]

    def loses(self, keep: int) -> bool:
        """Tell whether text or a call is lost when only the first `keep` pieces of text count."""
        texts = sum(len(block.pieces) for block in self.blocks if block.kind == "text")
        return texts > keep or any(block.kind == "tool_use" for block in self.blocks)

    def _begin(self, block: AnswerBlock) -> list[Change]:
        changes = self.close() if self._open else []
        self._open = True
        self.blocks.append(block)
        return [*changes, Change("opened", len(self.blocks) - 1, block)]

    def _grow(self, kind: Kind, piece: bytes) -> list[Change]:
        changes: list[Change] = []
        if not self._open or self.blocks[-1].kind != kind:
            changes = self._begin(AnswerBlock(kind))
        return [*changes, self._add(len(self.blocks) - 1, piece)]

    def _quote(self, json: bytes) -> list[Change]:
        """Note what a text cites, which may be told before the text."""
        changes: list[Change] = []
        if not self._open or self.blocks[-1].kind != "text":
            changes = self._begin(AnswerBlock("text"))
        self.blocks[-1].quotes.append(msgspec.Raw(json))
        return [*changes, Change("cited", len(self.blocks) - 1, self.blocks[-1], json)]

    def _add(self, index: int, piece: bytes) -> Change:
        self.blocks[index].pieces.append(piece)
        return Change("grown", index, self.blocks[index], piece)

    def _sign(self, signature: str) -> list[Change]:
        changes: list[Change] = []
        if not self._open or self.blocks[-1].kind != "thinking":
            changes = self._begin(AnswerBlock("thinking"))
        self.blocks[-1].signature = signature
        return [*changes, *self.close()]

    def _drop(self, keep: int) -> None:
        """Forget what no longer counts: text after the first pieces, all calls, and thinking after the last text.

        What an agent has done stays done.
        """
        kept: list[AnswerBlock] = []
        waiting: list[AnswerBlock] = []
        for block in self.blocks:
            if block.kind == "text" and keep > 0:
                del block.pieces[keep:]
                keep -= len(block.pieces)
                kept += [*waiting, block]
                waiting = []
            elif block.kind in ("thinking", "redacted_thinking", "step"):
                waiting.append(block)
        self.blocks = [*kept, *(block for block in waiting if block.kind == "step")]
        self._open = bool(self.blocks)
        self._calls.clear()


def as_message(blocks: list[AnswerBlock], *, signed: bool = False) -> Message | None:
    """Return the assistant's message that a client may hand back; None where nothing was said that one could hold.

    Where it is `signed` that is the blocks in their order, signed thinking among them; else all the text, then the
    calls.
    """
    if not signed:
        pieces = [piece for block in blocks if block.kind == "text" for piece in block.pieces]
        blocks = [AnswerBlock("text", pieces=pieces), *(block for block in blocks if block.kind == "tool_use")]
    try:
        said = [native for block in blocks if (native := _native(block)) is not None]
    except (msgspec.DecodeError, RecursionError):
        return None
    return Message("assistant", tuple(said)) if said else None


def _native(block: AnswerBlock) -> Block | None:
    """Return the block as a message has it; None for what the API would not take back."""
    match block.kind:
        case "text":
            return TextBlock(block.text) if block.text.strip() else None
        case "thinking":
            return ThinkingBlock(block.text, block.signature) if block.signature else None
        case "redacted_thinking":
            return RedactedThinkingBlock(block.data)
        case "step":
            return None
        case "tool_use":
            return ToolUseBlock(block.id, block.name, msgspec.json.decode(block.text or "{}", type=dict))


def joined(pieces: list[bytes]) -> msgspec.Raw:
    """Return JSON strings as one."""
    # Not decoded: the contents of the strings stay as they are.
    return msgspec.Raw(b'"' + b"".join(piece[1:-1] for piece in pieces) + b'"')


def read(pieces: list[bytes]) -> str:
    """Return JSON strings as one text, in which half a character may stand where an answer was cut."""
    # msgspec refuses such a text.
    return str(json.loads(bytes(joined(pieces)), strict=False))
