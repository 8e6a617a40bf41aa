"""What the OpenAPI document says of completions."""

from __future__ import annotations

from app.dialects.completions.schema import CompletionRequest
from app.dialects.dialect import Operation
from app.dialects.openai.schemas import CHUNKS, IDENTITY, REASONS, STOP, USAGE
from app.dialects.parameters import MAX_ANSWERS
from app.dialects.schema_words import NUMBER, STRING, array, closed, ref

OPERATION = Operation(
    id="createCompletion",
    summary="Continue a text.",
    request=CompletionRequest,
    answer="Completion",
    stream=CHUNKS,
    filled={
        "model": {"type": "string", "pattern": r"\S", "examples": ["claude-haiku-4"]},
        "prompt": {
            "description": f"One text, or several; times `n` they may be at most {MAX_ANSWERS}.",
            "anyOf": [
                {"type": "string", "pattern": r"\S"},
                {
                    "type": "array",
                    "items": {"type": "string", "pattern": r"\S"},
                    "minItems": 1,
                    "maxItems": MAX_ANSWERS,
                },
            ],
            "examples": ["def fibonacci(n):\n"],
        },
        "stop": STOP,
    },
    schemas={
        "Usage": USAGE,
        "Completion": closed(
            **IDENTITY,
            object={"const": "text_completion"},
            choices=array(
                closed(
                    text=STRING,
                    index=NUMBER,
                    logprobs={"type": "null"},
                    finish_reason={"enum": [word for word in REASONS if word != "tool_calls"]},
                )
            ),
            usage=ref("Usage"),
        ),
    },
)
