"""The messages of a request become those of a conversation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.conversation import Block, Message
from app.dialects.anthropic import blocks, content
from app.dialects.fields import invalid, mapping, one_of, paced
from app.dialects.message_list import MessageList, ToolRounds, in_tags
from app.errors import BadRequest

ROLES = ("user", "assistant", "system")
Read = Callable[[dict[str, Any], str, ToolRounds, list[str]], list[Block]]


def read_messages(messages: list[Any], ignored: list[str], *, asks: bool = True) -> tuple[Message, ...]:
    """Return the messages, the first and the last of them the user's; neighbours of one role become one.

    Where nothing is asked, the last may be the assistant's; one of the user's follows it then.

    A system message stands in its place as user text in `<system>` tags. What is left out is added to `ignored`.
    Raises BadRequest naming the message.
    """
    ordered = MessageList(ignored)
    for index, message in paced(messages, "messages"):
        param = f"messages[{index}]"
        role = one_of(mapping(message, param).get("role"), ROLES, f"{param}.role")
        place = f"{param}.content"
        given = message.get("content")
        if role == "assistant":
            if ordered.last_role is None:
                raise invalid(f"{param}.role", "must be user: the conversation begins with the user's message")
            said = _blocks(given, place, blocks.said, ordered.rounds, ignored)
            ordered.add("assistant", blocks.without_mere_thoughts(said), place)
        elif role == "user":
            ordered.add("user", _blocks(given, place, blocks.asked, ordered.rounds, ignored), place)
        else:
            ordered.add("user", in_tags(content.texts([] if given is None else given, place)), place)
    if not asks:
        return ordered.framed("messages", "a tool_result")
    found = ordered.as_they_are("messages", "a tool_result")
    if ordered.last_role != "user":
        raise BadRequest(
            "messages must end with the user's message, with text in it; Claude no longer continues an assistant's.",
            param="messages",
            code="invalid_value",
        )
    return found


def _blocks(given: Any, param: str, read: Read, rounds: ToolRounds, ignored: list[str]) -> list[Block]:
    return [found for block, place in content.listed(given, param) for found in read(block, place, rounds, ignored)]
