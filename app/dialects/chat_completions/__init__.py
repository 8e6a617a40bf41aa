"""OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat ."""

from __future__ import annotations

from app.dialects.chat_completions.operation import OPERATION
from app.dialects.chat_completions.request import parse
from app.dialects.dialect import Dialect
from app.dialects.openai.answers import ENVELOPE

DIALECT = Dialect("chat", "/chat/completions", parse, ENVELOPE, OPERATION, sessions=True)
