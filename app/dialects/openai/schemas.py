"""What several of OpenAI's routes take and answer alike, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from app.dialects.openai.answers import FINISH_REASONS
from app.dialects.parameters import MAX_STOPS
from app.dialects.schema_words import FUNCTION_NAME, NULL, NUMBER, STRING, closed

CHUNKS = "chunks, then the usage if it was asked for, then `[DONE]`; or an error object and nothing after it."
STOP = {
    "description": "Texts before which the answer ends.",
    "anyOf": [STRING, {"type": "array", "items": STRING, "maxItems": MAX_STOPS}, NULL],
}
FUNCTION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": FUNCTION_NAME,
        "description": STRING,
        "parameters": {"type": "object", "description": "A JSON Schema (draft 2020-12) of an object."},
    },
    "required": ["name"],
}
REASONS = sorted(set(FINISH_REASONS.values()))
IDENTITY = {"id": STRING, "created": NUMBER, "model": STRING}
USAGE = closed(
    prompt_tokens=NUMBER,
    completion_tokens=NUMBER,
    total_tokens=NUMBER,
    prompt_tokens_details=closed(cached_tokens=NUMBER, cache_write_tokens=NUMBER),
    completion_tokens_details=closed(reasoning_tokens=NUMBER),
)
