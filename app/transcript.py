"""The assistant's turn as a client gets it, put together from a turn's events."""

from __future__ import annotations

import msgspec

from app.conversation import Block, TextBlock, ToolUseBlock, Turn
from app.events import Event, Restart, TextDelta, ToolCallDelta, ToolCallStart


class Transcript:
    """Collects events; `turn` is what the client may hand back as the assistant's turn."""

    def __init__(self) -> None:
        self._texts: list[bytes] = []
        self._calls: dict[int, ToolCallStart] = {}
        self._arguments: dict[int, list[bytes]] = {}

    def feed(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, TextDelta):
            self._texts.append(event.json)
        elif isinstance(event, ToolCallStart):
            self._calls[event.index] = event
            self._arguments[event.index] = []
        elif isinstance(event, ToolCallDelta):
            self._arguments[event.index].append(event.json)
        elif isinstance(event, Restart):
            del self._texts[event.keep :]
            self._calls.clear()
            self._arguments.clear()

    def turn(self) -> Turn | None:
        """Return the turn so far, or None where nothing was said that a turn could hold."""
        blocks: list[Block] = []
        try:
            text = _joined(self._texts)
            if text.strip():
                blocks.append(TextBlock(text))
            for index, call in self._calls.items():
                arguments = msgspec.json.decode(_joined(self._arguments[index]) or "{}", type=dict)
                blocks.append(ToolUseBlock(call.id, call.name, arguments))
        except (msgspec.DecodeError, RecursionError):
            return None
        return Turn("assistant", tuple(blocks)) if blocks else None


def _joined(pieces: list[bytes]) -> str:
    """Return the text of JSON strings that follow each other; characters cut in two between them are whole again."""
    return msgspec.json.decode(b'"' + b"".join(piece[1:-1] for piece in pieces) + b'"', type=str)
