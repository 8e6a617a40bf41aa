"""Messages become turns that alternate, as the API wants them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from app.conversation import Block, ImageBlock, TextBlock, ToolResultBlock, Turn
from app.dialects import images
from app.dialects.fields import invalid
from app.errors import BadRequest

# The API wants a user's turn first and last; OpenAI's clients need not send one.
OPENING = TextBlock("[The conversation opens with the assistant's message.]")
CONTINUE = TextBlock("Continue.")

Role = Literal["user", "assistant"]


class Turns:
    """Takes up messages one by one; neighbours of one role become one turn."""

    def __init__(self) -> None:
        self._turns: list[tuple[Role, list[Block]]] = []
        self._pictures = 0

    @property
    def last_role(self) -> Role | None:
        """Return whose the last turn is, None where there is none."""
        return self._turns[-1][0] if self._turns else None

    def add(self, role: Role, blocks: Iterable[Block], param: str) -> None:
        """Take up what a message holds. Raises BadRequest naming `param` where the pictures become too many."""
        added = list(blocks)
        self._pictures += sum(_pictures(block) for block in added)
        if self._pictures > images.MOST:
            raise invalid(param, f"has more than the {images.MOST} pictures one request may hold")
        if self.last_role == role:
            self._turns[-1][1].extend(added)
        elif added:
            self._turns.append((role, added))

    def framed(self, param: str) -> tuple[Turn, ...]:
        """Return the turns, the first and the last of them the user's. Raises BadRequest where there is none."""
        if not self._turns:
            raise BadRequest(f"{param} hold no text", param=param, code="invalid_value")
        turns = self.as_they_are()
        opening = (Turn("user", (OPENING,)),) if turns[0].role == "assistant" else ()
        closing = (Turn("user", (CONTINUE,)),) if turns[-1].role == "assistant" else ()
        return (*opening, *turns, *closing)

    def as_they_are(self) -> tuple[Turn, ...]:
        """Return the turns."""
        return tuple(Turn(role, tuple(blocks)) for role, blocks in self._turns)


def in_tags(text: str) -> list[TextBlock]:
    """Return the text of a system message that stands between others, nothing for an empty one."""
    return [TextBlock(f"<system>\n{text}\n</system>")] if text else []


def _pictures(block: Block) -> int:
    inner = block.content if isinstance(block, ToolResultBlock) else (block,)
    return sum(isinstance(item, ImageBlock) for item in inner)
