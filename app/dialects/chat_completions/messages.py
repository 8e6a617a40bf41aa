"""OpenAI messages become a system prompt and alternating turns of Messages API blocks."""

from __future__ import annotations

from typing import Any, Literal

from app.conversation import Block, ImageBlock, TextBlock, ToolResultBlock, Turn
from app.dialects.chat_completions import images
from app.dialects.chat_completions.parts import content_blocks, text_blocks
from app.dialects.chat_completions.tool_rounds import ToolRounds
from app.dialects.fields import invalid, mapping
from app.errors import BadRequest

SYSTEM_ROLES = ("system", "developer")
RESULT_ROLES = ("tool", "function")
ROLES = (*SYSTEM_ROLES, "user", "assistant", *RESULT_ROLES)
# The API wants a user's turn first and last; OpenAI's clients need not send one.
OPENING = TextBlock("[The conversation opens with the assistant's message.]")
CONTINUE = TextBlock("Continue.")


def system_and_turns(messages: list[Any], *, continues: bool = False) -> tuple[str, tuple[Turn, ...]]:
    """Return the system prompt and the turns, the last of them the user's.

    Leading system and developer messages form the prompt; later ones stand in their place as user text in `<system>`
    tags. Neighbours of one role become one turn. What `continues` a conversation may begin with results of tools.
    Raises BadRequest naming the message.
    """
    roles = [_role(message, f"messages[{index}]") for index, message in enumerate(messages)]
    leading = next((index for index, role in enumerate(roles) if role not in SYSTEM_ROLES), len(roles) - 1)
    system = [_plain(message, f"messages[{index}]") for index, message in enumerate(messages[:leading])]
    turns: list[tuple[Literal["user", "assistant"], list[Block]]] = []
    rounds = ToolRounds(continues=continues)
    pictures = 0
    for index, (role, message) in enumerate(zip(roles, messages, strict=True)):
        if index < leading:
            continue
        param = f"messages[{index}]"
        blocks = _blocks(role, message, param, rounds)
        pictures += sum(_pictures(block) for block in blocks)
        if pictures > images.MOST:
            raise invalid(f"{param}.content", f"has more than the {images.MOST} pictures one request may hold")
        side: Literal["user", "assistant"] = "assistant" if role == "assistant" else "user"
        if turns and turns[-1][0] == side:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((side, blocks))
    rounds.expect_none("messages")
    return "\n\n".join(filter(None, system)), _framed(turns)


def _role(message: Any, param: str) -> str:
    role = mapping(message, param).get("role")
    if role not in ROLES:
        raise invalid(f"{param}.role", f"must be one of {', '.join(ROLES)}")
    return str(role)


def _blocks(role: str, message: dict[str, Any], param: str, rounds: ToolRounds) -> list[Block]:
    """Return what a message adds to its side's turn."""
    content = message.get("content")
    if role in RESULT_ROLES:
        return [rounds.result(message, content_blocks(content, f"{param}.content"), param)]
    rounds.expect_none(param)
    if role in SYSTEM_ROLES:
        plain = _plain(message, param)
        return [TextBlock(f"<system>\n{plain}\n</system>")] if plain else []
    if role == "assistant":
        said = text_blocks(content, f"{param}.content") or text_blocks(message.get("refusal"), f"{param}.refusal")
        return [*said, *rounds.calls(message, param)]
    return [*content_blocks(content, f"{param}.content")]


def _plain(message: dict[str, Any], param: str) -> str:
    return "\n".join(block.text for block in text_blocks(message.get("content"), f"{param}.content"))


def _pictures(block: Block) -> int:
    inner = block.content if isinstance(block, ToolResultBlock) else (block,)
    return sum(isinstance(item, ImageBlock) for item in inner)


def _framed(turns: list[tuple[Literal["user", "assistant"], list[Block]]]) -> tuple[Turn, ...]:
    if not turns:
        raise BadRequest("messages hold no text", param="messages", code="invalid_value")
    if turns[0][0] == "assistant":
        turns.insert(0, ("user", [OPENING]))
    if turns[-1][0] == "assistant":
        turns.append(("user", [CONTINUE]))
    return tuple(Turn(side, tuple(blocks)) for side, blocks in turns)
