"""A conversation in the neutral form between the dialects and `claude`: the Messages API's turns and blocks.

Block shapes: https://docs.claude.com/en/api/messages
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class TextBlock(msgspec.Struct, frozen=True, tag="text"):
    """Text, never empty or only white space (the API refuses that)."""

    text: str


class ToolUseBlock(msgspec.Struct, frozen=True, tag="tool_use"):
    """A call the assistant made; `input` is a JSON object."""

    id: str
    name: str
    input: dict[str, Any]


class ToolResultBlock(msgspec.Struct, frozen=True, tag="tool_result"):
    """What a call gave, in the user turn right after it."""

    tool_use_id: str
    content: tuple[TextBlock, ...]


Block = TextBlock | ToolUseBlock | ToolResultBlock


class Turn(msgspec.Struct, frozen=True):
    """One side's words, a message of the Messages API; turns of one conversation alternate."""

    role: Literal["user", "assistant"]
    content: tuple[Block, ...]


class Conversation(msgspec.Struct, frozen=True):
    """What a client asks: a system prompt, the turns so far (the last is the user's) and a model for the CLI.

    `model` is an alias or a full name as the CLI takes it.
    """

    model: str
    system: str
    turns: tuple[Turn, ...]

    @property
    def history(self) -> tuple[Turn, ...]:
        """Return the turns before the question."""
        return self.turns[:-1]

    @property
    def question(self) -> Turn:
        """Return the last turn, the one to be answered."""
        return self.turns[-1]
