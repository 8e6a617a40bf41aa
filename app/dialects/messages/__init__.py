"""Anthropic's Messages API: https://docs.claude.com/en/api/messages ."""

from __future__ import annotations

import functools

from app.dialects.dialect import Counter, Dialect
from app.dialects.messages.errors import ENVELOPE
from app.dialects.messages.operation import OPERATION
from app.dialects.messages.request import parse
from app.dialects.messages.schema import MessageCount

COUNTER = Counter(
    "/count_tokens",
    functools.partial(parse, counts=True),
    lambda tokens: {"input_tokens": tokens},
    "countMessageTokens",
    "Count the tokens of a conversation.",
    MessageCount,
    "MessageTokens",
)
DIALECT = Dialect("messages", "/messages", parse, ENVELOPE, OPERATION, counter=COUNTER)
