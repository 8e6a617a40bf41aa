"""The dialects that the server speaks: wire formats on one side, `Conversation` and events on the other."""

from __future__ import annotations

import dataclasses

from app.dialects import chat_completions, completions, messages, ollama, responses
from app.dialects.chat_completions.request import InputInstead, ParsedRequest
from app.dialects.dialect import Context, Dialect, Request


def read_chat(body: bytes, context: Context) -> Request:
    """Read a body for a chat completion: its own, or one for the Responses API, as Cursor sends it.

    Raises BadRequest with the field in `param`.
    """
    try:
        return chat_completions.DIALECT.read(body, context)
    except InputInstead:
        given = responses.DIALECT.read(body, context)
    return ParsedRequest(given.conversations[0], given.streams, include_usage=False, ignored=tuple(given.ignored))


CHAT = dataclasses.replace(chat_completions.DIALECT, read=read_chat)
DIALECTS: tuple[Dialect, ...] = (
    CHAT,
    completions.DIALECT,
    responses.DIALECT,
    messages.DIALECT,
    ollama.CHAT,
    ollama.GENERATE,
)
