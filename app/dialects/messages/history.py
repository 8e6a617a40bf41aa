"""Messages become alternating turns: they are in the API's own blocks already, and are checked as it checks them."""

from __future__ import annotations

from typing import Any

from app.conversation import Block, RedactedThinkingBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock, Turn
from app.dialects.fields import function_name, invalid, mapping, one_of, string
from app.dialects.messages import content
from app.dialects.tool_rounds import ToolRounds
from app.dialects.turns import Turns, in_tags
from app.errors import BadRequest

ROLES = ("user", "assistant", "system")
USERS = (*content.KINDS, "tool_result")
ASSISTANTS = ("text", "thinking", "redacted_thinking", "tool_use")


def turns_of(messages: list[Any]) -> tuple[Turn, ...]:
    """Return the turns, the first and the last of them the user's; neighbours of one role become one.

    A system message stands in its place as user text in `<system>` tags. Raises BadRequest naming the message.
    """
    turns, rounds = Turns(), ToolRounds()
    for index, message in enumerate(messages):
        param = f"messages[{index}]"
        role = one_of(mapping(message, param).get("role"), ROLES, f"{param}.role")
        place = f"{param}.content"
        if role == "assistant":
            rounds.expect_none(param, "a tool_result")
            if turns.last_role is None:
                raise invalid(f"{param}.role", "must be user: the conversation begins with the user's message")
            turns.add("assistant", _said(message.get("content"), place, rounds), place)
        elif role == "user":
            turns.add("user", _asked(message.get("content"), place, rounds), place)
        else:
            turns.add("user", in_tags(content.texts(message.get("content"), place)), place)
    rounds.expect_none("messages", "a tool_result")
    if turns.last_role != "user":
        raise BadRequest(
            "messages must end with the user's message, with text in it; Claude no longer continues an assistant's.",
            param="messages",
            code="invalid_value",
        )
    return turns.as_they_are()


def _asked(given: Any, param: str, rounds: ToolRounds) -> list[Block]:
    blocks: list[Block] = []
    for block, place in content.listed(given, param):
        if block.get("type") != "tool_result":
            # The results of all calls come first.
            rounds.expect_none(place, "a tool_result")
            found = content.read(block, place, USERS)
            blocks += [] if found is None else [found]
        else:
            blocks.append(_result(block, place, rounds))
    return blocks


def _result(block: dict[str, Any], param: str, rounds: ToolRounds) -> ToolResultBlock:
    failed = block.get("is_error")
    if not isinstance(failed, bool | None):
        raise invalid(f"{param}.is_error", "must be true or false")
    given = block.get("content")
    inner = [] if given is None else content.contents(given, f"{param}.content")
    return rounds.result(block.get("tool_use_id"), inner, f"{param}.tool_use_id", is_error=bool(failed))


def _said(given: Any, param: str, rounds: ToolRounds) -> list[Block]:
    blocks = [_spoken(block, place, rounds) for block, place in content.listed(given, param)]
    said = [block for block in blocks if block is not None]
    # The API takes no message of thoughts alone.
    return said if any(not isinstance(block, ThinkingBlock | RedactedThinkingBlock) for block in said) else []


def _spoken(block: dict[str, Any], param: str, rounds: ToolRounds) -> Block | None:
    match block.get("type"):
        case "text":
            return content.read(block, param, ASSISTANTS)
        case "thinking":
            thinking = string(block.get("thinking"), f"{param}.thinking")
            signature = block.get("signature")
            # Where an answer broke off there is none, and without it the API takes no thinking.
            return ThinkingBlock(thinking, string(signature, f"{param}.signature")) if signature else None
        case "redacted_thinking":
            return RedactedThinkingBlock(string(block.get("data"), f"{param}.data"))
        case "tool_use":
            return _call(block, param, rounds)
        case _:
            raise content.unknown(block, param, ASSISTANTS)


def _call(block: dict[str, Any], param: str, rounds: ToolRounds) -> ToolUseBlock:
    name = function_name(block.get("name"), f"{param}.name")
    given = block.get("input")
    return rounds.call(block.get("id"), name, mapping({} if given is None else given, f"{param}.input"), f"{param}.id")
