"""The blocks of an answer, in their order, put together from a turn's events."""

from __future__ import annotations

import dataclasses
from typing import Literal

import msgspec

from app.events import (
    Event,
    RedactedThinking,
    Restart,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallStart,
)

Kind = Literal["text", "thinking", "redacted_thinking", "tool_use"]


@dataclasses.dataclass(eq=False)
class AnswerBlock:
    """A block while it grows: its text, thinking or arguments are JSON strings in `pieces`.

    `id` and `name` are a call's, `signature` is that of thinking, `data` what redacted thinking holds.
    """

    kind: Kind
    id: str = ""
    name: str = ""
    signature: str = ""
    data: str = ""
    pieces: list[bytes] = dataclasses.field(default_factory=list)

    @property
    def json(self) -> msgspec.Raw:
        """Return the pieces as one JSON string."""
        return joined(self.pieces)

    @property
    def text(self) -> str:
        """Return the pieces as one text; characters cut in two between them are whole again."""
        return msgspec.json.decode(self.json, type=str)


class Change(msgspec.Struct, frozen=True):
    """What an event did to the block at `index`: `what` says whether it began, grew by `piece` or ended."""

    what: Literal["opened", "grown", "closed"]
    index: int
    block: AnswerBlock
    piece: bytes = b""


class AnswerBlocks:
    """Collects events; `thinking` says whether thinking is among the blocks.

    Text goes into the last block as long as nothing else came between. At most one block is open, the last.
    """

    def __init__(self, *, thinking: bool) -> None:
        self.blocks: list[AnswerBlock] = []
        self._thinking = thinking
        self._open = False
        self._calls: dict[int, int] = {}  # a call's index -> its block's

    def feed(self, event: Event) -> list[Change]:
        """Take up an event; return what changed, in order."""
        match event:
            case TextDelta():
                return self._grow("text", event.json)
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
        """Tell whether text or a call goes where of the pieces of text only the first `keep` count."""
        texts = sum(len(block.pieces) for block in self.blocks if block.kind == "text")
        return texts > keep or any(block.kind == "tool_use" for block in self.blocks)

    def _begin(self, block: AnswerBlock) -> list[Change]:
        changes = self.close()
        self._open = True
        self.blocks.append(block)
        return [*changes, Change("opened", len(self.blocks) - 1, block)]

    def _grow(self, kind: Kind, piece: bytes) -> list[Change]:
        changes: list[Change] = []
        if not self._open or self.blocks[-1].kind != kind:
            changes = self._begin(AnswerBlock(kind))
        return [*changes, self._add(len(self.blocks) - 1, piece)]

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
        """Forget what no longer counts: text after the first pieces, all calls, and thinking after the last text."""
        kept: list[AnswerBlock] = []
        waiting: list[AnswerBlock] = []
        for block in self.blocks:
            if block.kind == "text" and keep > 0:
                del block.pieces[keep:]
                keep -= len(block.pieces)
                kept += [*waiting, block]
                waiting = []
            elif block.kind in ("thinking", "redacted_thinking"):
                waiting.append(block)
        self.blocks = kept
        self._open = bool(kept)
        self._calls.clear()


def joined(pieces: list[bytes]) -> msgspec.Raw:
    """Return JSON strings as one."""
    # Without decoding: what stands between the quotes needs none.
    return msgspec.Raw(b'"' + b"".join(piece[1:-1] for piece in pieces) + b'"')
