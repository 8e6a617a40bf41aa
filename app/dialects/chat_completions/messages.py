"""The system prompt and the messages of a request, with what is attached to them."""

from __future__ import annotations

from typing import Any

from app.conversation import Block, DocumentBlock, ImageBlock, Message
from app.dialects import attachments
from app.dialects.anthropic import blocks, content
from app.dialects.chat_completions import tools
from app.dialects.fields import invalid, mapping, paced, string
from app.dialects.message_list import MessageList, ToolRounds, in_tags
from app.dialects.openai.parts import Attachments, block, content_blocks, listed, plain_text, text_block, text_blocks

SYSTEM_ROLES = ("system", "developer")
RESULT_ROLES = ("tool", "function")
# Anthropic's blocks that Cursor sends as parts of what a Claude model said.
OWN = ("tool_use", "thinking", "redacted_thinking")
ROLES = (*SYSTEM_ROLES, "user", "assistant", *RESULT_ROLES)


def system_and_messages(
    messages: list[Any], ignored: list[str] | None = None, *, continues: bool = False
) -> tuple[str, tuple[Message, ...]]:
    """Return the system prompt and the messages, the last of them the user's.

    Leading system and developer messages form the prompt; later ones stand in their place as user text in `<system>`
    tags. Neighbours of one role become one. What `continues` a conversation may begin with results of tools.
    What is left out is added to `ignored`. Raises BadRequest naming the message.
    """
    roles = [_role(message, f"messages[{index}]") for index, message in paced(messages, "messages")]
    leading = next((index for index, role in enumerate(roles) if role not in SYSTEM_ROLES), len(roles) - 1)
    system = [_plain(message, f"messages[{index}]") for index, message in enumerate(messages[:leading])]
    noted = [] if ignored is None else ignored
    ordered = MessageList(noted, continues=continues)
    for index, message in paced(messages, "messages"):
        if index < leading:
            continue
        role = roles[index]
        param = f"messages[{index}]"
        found = _blocks(role, message, param, ordered.rounds, noted)
        ordered.add("assistant" if role == "assistant" else "user", found, f"{param}.content")
    return "\n\n".join(filter(None, system)), ordered.framed("messages", "a tool message")


def _role(message: Any, param: str) -> str:
    role = mapping(message, param).get("role")
    if role not in ROLES:
        raise invalid(f"{param}.role", f"must be one of {', '.join(ROLES)}")
    return str(role)


def _blocks(role: str, message: dict[str, Any], param: str, rounds: ToolRounds, ignored: list[str]) -> list[Block]:
    """Return what a message adds to its side."""
    content, place = message.get("content"), f"{param}.content"
    if role in RESULT_ROLES:
        return [*tools.result(message, content_blocks(content, place, ATTACHMENTS), param, rounds)]
    if role in SYSTEM_ROLES:
        return [*in_tags(_plain(message, param))]
    if role == "assistant":
        said = [found for part, at in listed(content, place) for found in _said(part, at, rounds, ignored)]
        said = blocks.without_mere_thoughts(said) or [*text_blocks(message.get("refusal"), f"{param}.refusal")]
        return [*said, *tools.calls(message, param, rounds)]
    return [found for part, at in listed(content, place) for found in _asked(part, at, rounds)]


def _said(part: Any, param: str, rounds: ToolRounds, ignored: list[str]) -> list[Block]:
    """Return what a part of the assistant's says."""
    if isinstance(part, dict) and part.get("type") in OWN:
        return blocks.said(part, param, rounds, ignored)
    return [*text_block(part, param)]


def _asked(part: Any, param: str, rounds: ToolRounds) -> list[Block]:
    if isinstance(part, dict) and part.get("type") == "tool_result":
        return [*blocks.result(part, param, rounds)]
    return [*block(part, param, ATTACHMENTS)]


def _plain(message: dict[str, Any], param: str) -> str:
    return plain_text(message.get("content"), f"{param}.content")


def image(part: dict[str, Any], param: str) -> ImageBlock:
    """Return the picture of an `image_url` part; `detail` has no effect. Raises BadRequest naming the field."""
    place = f"{param}.image_url"
    given = part.get("image_url")
    if isinstance(given, str):
        return attachments.picture_of_url(given, place)  # several clients leave out the object around it
    url = string(mapping(given, place).get("url"), f"{place}.url")
    return attachments.picture_of_url(url, f"{place}.url")


def document(part: dict[str, Any], param: str) -> DocumentBlock:
    """Return the document of a `file` part. Raises BadRequest naming the field."""
    place = f"{param}.file"
    return attachments.document(mapping(part.get("file"), place), place)


# Cursor sends a Claude model's pictures and documents as Anthropic's API has them.
ATTACHMENTS: Attachments = {
    "image_url": image,
    "file": document,
    **dict.fromkeys(content.ATTACHMENTS, content.attachment),
}
