"""OpenAI messages become a system prompt and alternating turns of Messages API blocks."""

from __future__ import annotations

from typing import Any, Literal

from app.conversation import Block, TextBlock, Turn
from app.dialects.chat_completions.parts import text_blocks
from app.dialects.chat_completions.tool_rounds import ToolRounds
from app.errors import BadRequest

SYSTEM_ROLES = ("system", "developer")
RESULT_ROLES = ("tool", "function")
ROLES = (*SYSTEM_ROLES, "user", "assistant", *RESULT_ROLES)
# The API wants a user's turn first and last; OpenAI's clients need not send one.
OPENING = TextBlock("[The conversation opens with the assistant's message.]")
CONTINUE = TextBlock("Continue.")


def system_and_turns(messages: list[Any]) -> tuple[str, tuple[Turn, ...]]:
    """Return the system prompt and the turns, the last of them the user's.

    Leading system and developer messages form the prompt; later ones stand in their place as user text in `<system>`
    tags. Neighbours of one role become one turn. Raises BadRequest naming the message.
    """
    roles = [_role(message, f"messages[{index}]") for index, message in enumerate(messages)]
    leading = next((index for index, role in enumerate(roles) if role not in SYSTEM_ROLES), len(roles) - 1)
    system: list[str] = []
    turns: list[tuple[Literal["user", "assistant"], list[Block]]] = []
    rounds = ToolRounds()
    for index, (role, message) in enumerate(zip(roles, messages, strict=True)):
        param = f"messages[{index}]"
        text = text_blocks(message.get("content"), f"{param}.content")
        blocks: list[Block] = [*text]
        if role in RESULT_ROLES:
            blocks = [rounds.result(message, text, param)]
        else:
            rounds.expect_none(param)
        if role in SYSTEM_ROLES:
            plain = "\n".join(block.text for block in text)
            if index < leading:
                system.append(plain)
                continue
            blocks = [TextBlock(f"<system>\n{plain}\n</system>")] if plain else []
        elif role == "assistant":
            blocks += rounds.calls(message, param)
        side: Literal["user", "assistant"] = "assistant" if role == "assistant" else "user"
        if turns and turns[-1][0] == side:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((side, blocks))
    rounds.expect_none("messages")
    return "\n\n".join(filter(None, system)), _framed(turns)


def _role(message: Any, param: str) -> str:
    if not isinstance(message, dict):
        raise BadRequest(f"{param} must be an object", param=param, code="invalid_value")
    role = message.get("role")
    if role not in ROLES:
        raise BadRequest(f"{param}.role must be one of {', '.join(ROLES)}", param=f"{param}.role", code="invalid_value")
    return str(role)


def _framed(turns: list[tuple[Literal["user", "assistant"], list[Block]]]) -> tuple[Turn, ...]:
    if not turns:
        raise BadRequest("messages hold no text", param="messages", code="invalid_value")
    if turns[0][0] == "assistant":
        turns.insert(0, ("user", [OPENING]))
    if turns[-1][0] == "assistant":
        turns.append(("user", [CONTINUE]))
    return tuple(Turn(side, tuple(blocks)) for side, blocks in turns)
