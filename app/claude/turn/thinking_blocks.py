"""The thinking of an answer, with what proves to the API that it is its own."""

from __future__ import annotations

import msgspec

from app.claude.cli.protocol import ContentBlock, Delta
from app.events import Event, RedactedThinking, ThinkingDelta, ThinkingSignature


class ThinkingBlocks:
    """Reads the thinking blocks of one turn; `given` tells that the current message has had some."""

    def __init__(self) -> None:
        self.given = False

    def start(self, block: ContentBlock) -> list[Event]:
        """Return what the beginning of a block gives: all there is of one that only the API can read."""
        return self._give(RedactedThinking(block.data)) if block.type == "redacted_thinking" else []

    def delta(self, delta: Delta) -> list[Event]:
        """Return a piece of a block, or its end."""
        if delta.type == "signature_delta":
            return self._give(ThinkingSignature(delta.signature))
        return self._give(ThinkingDelta(bytes(delta.thinking)))

    def whole(self, block: ContentBlock) -> list[Event]:
        """Return a block that came in one piece."""
        if block.type == "redacted_thinking":
            return self.start(block)
        thinking = ThinkingDelta(msgspec.json.encode(block.thinking or ""))
        return self._give(thinking, ThinkingSignature(block.signature or ""))

    def _give(self, *events: Event) -> list[Event]:
        self.given = True
        return [*events]
