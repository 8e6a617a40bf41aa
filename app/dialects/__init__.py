"""The dialects that the server speaks: wire formats on one side, `Conversation` and events on the other."""

from __future__ import annotations

import dataclasses

from app.dialects.chat_completions.dialect import DIALECT as CHAT_COMPLETIONS
from app.dialects.chat_completions.dialect import ChatRequest
from app.dialects.chat_completions.request import InputInstead, ParsedRequest
from app.dialects.completions.dialect import DIALECT as COMPLETIONS
from app.dialects.dialect import Context, Dialect, Request
from app.dialects.messages.dialect import DIALECT as MESSAGES
from app.dialects.responses import request as responses
from app.dialects.responses.dialect import DIALECT as RESPONSES


def read_chat(body: bytes, context: Context) -> Request:
    """Read a body for a chat completion: its own, or one for the Responses API, as Cursor sends it.

    Raises BadRequest with the field in `param`.
    """
    try:
        return CHAT_COMPLETIONS.read(body, context)
    except InputInstead:
        given = responses.parse(body, context.resolve_model, lambda _: None)
    parsed = ParsedRequest(given.conversation, given.stream, include_usage=False, ignored=given.ignored)
    return ChatRequest(parsed)


CHAT = dataclasses.replace(CHAT_COMPLETIONS, read=read_chat)
DIALECTS: tuple[Dialect, ...] = (CHAT, COMPLETIONS, RESPONSES, MESSAGES)
