"""The dialects that the server speaks: wire formats on one side, `Conversation` and events on the other."""

from __future__ import annotations

from app.dialects.chat_completions.dialect import DIALECT as CHAT_COMPLETIONS
from app.dialects.completions.dialect import DIALECT as COMPLETIONS
from app.dialects.dialect import Dialect
from app.dialects.messages.dialect import DIALECT as MESSAGES
from app.dialects.responses.dialect import DIALECT as RESPONSES

DIALECTS: tuple[Dialect, ...] = (CHAT_COMPLETIONS, COMPLETIONS, RESPONSES, MESSAGES)
