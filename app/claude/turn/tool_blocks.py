"""The tool_use blocks of an answer: the client's calls, the CLI's structured output, and names the model invented."""

from __future__ import annotations

import msgspec

from app.claude.cli.protocol import ContentBlock
from app.claude.cli.tool_ids import plain
from app.claude.cli.tool_names import Renaming, ToolNames
from app.events import Event, ToolCallDelta, ToolCallStart

PREFIX = "mcp__client__"
NO_ARGUMENTS = b'"{}"'


class ToolBlocks:
    """Follows the tool_use blocks of one turn.

    `calls` counts those of the client's tools in the current message, `ids` are their plain ids, and `foreign` tells
    that the model called something else as well.
    """

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self._open: dict[int, int] = {}  # block index -> call index
        self._renamings: dict[int, Renaming] = {}  # by call index
        self._silent: set[int] = set()  # calls without a piece of arguments so far
        self.calls = 0
        self.ids: list[str] = []
        self.foreign = False

    def start(self, index: int, block: ContentBlock) -> list[Event]:
        """Return the beginning of a call; nothing for a tool that is not the client's."""
        # The name as it is comes first: a client's tool may be called as if it had the prefix.
        name = self._names.client(block.name) or self._names.client(block.name.removeprefix(PREFIX))
        # The CLI itself answers a call of a tool that does not exist, and the turn goes on.
        if name is None:
            self.foreign = True
            return []
        call = self._open[index] = self.calls
        if renaming := self._names.renaming(name):
            self._renamings[call] = renaming
        self._silent.add(call)
        self.calls += 1
        self.ids.append(plain(block.id))
        return [ToolCallStart(call, self.ids[-1], name)]

    def delta(self, index: int, partial_json: bytes) -> list[Event]:
        """Return a piece of a call's arguments."""
        call = self._open.get(index)
        if call is None or partial_json == b'""':
            return []
        self._silent.discard(call)
        if call in self._renamings:
            piece = self._renamings[call].feed(msgspec.json.decode(partial_json, type=str))
            return [ToolCallDelta(call, msgspec.json.encode(piece))] if piece else []
        return [ToolCallDelta(call, partial_json)]

    def stop(self, index: int) -> list[Event]:
        """Return what a call still lacks at its end: arguments are never empty."""
        call = self._open.pop(index, None)
        return [ToolCallDelta(call, NO_ARGUMENTS)] if call in self._silent and call is not None else []

    def whole(self, index: int, block: ContentBlock) -> list[Event]:
        """Return a call that came in one piece."""
        events = self.start(index, block)
        if events:
            text = bytes(block.input).decode() or "{}"
            events += self.delta(index, msgspec.json.encode(text))
            self._open.pop(index)
        return events

    def forget(self) -> None:
        """Drop the calls of a message that broke off, or that held none of the client's."""
        self._open.clear()
        self._renamings.clear()
        self._silent.clear()
        self.calls = 0
        self.ids.clear()
