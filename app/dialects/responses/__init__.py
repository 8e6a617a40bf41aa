"""OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses ."""

from __future__ import annotations

from app.dialects.dialect import Counter, Dialect
from app.dialects.openai.answers import ENVELOPE
from app.dialects.responses.operation import OPERATION
from app.dialects.responses.request import parse
from app.dialects.responses.schema import ResponseRequest

COUNTER = Counter(
    "/input_tokens",
    parse,
    lambda tokens: {"object": "response.input_tokens", "input_tokens": tokens},
    "countResponseTokens",
    "Count the tokens of an input.",
    ResponseRequest,
    "ResponseTokens",
)
DIALECT = Dialect("responses", "/responses", parse, ENVELOPE, OPERATION, counter=COUNTER)
