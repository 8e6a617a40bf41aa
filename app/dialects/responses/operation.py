"""What the OpenAPI document says of responses."""

from __future__ import annotations

from app.dialects.dialect import Operation
from app.dialects.openai.schemas import FUNCTION
from app.dialects.responses import items
from app.dialects.responses.schema import ResponseRequest
from app.dialects.schema_words import MODEL, NULL, NULLABLE_STRING, NUMBER, OBJECT, STRING, array, closed
from app.dialects.tools import MAX_TOOLS, WORDS

STATES = "the events of the Responses API, the last of them `response.completed`, `.incomplete` or `.failed`."
FLAT_TOOL = {**FUNCTION, "properties": {**FUNCTION["properties"], "type": {"const": "function"}}}
FLAT_TOOL["required"] = ["type", "name"]
OUTPUT_ITEMS = ["message", "function_call", "reasoning"]

OPERATION = Operation(
    id="createResponse",
    summary="Answer an input.",
    request=ResponseRequest,
    answer="Response",
    stream=STATES,
    filled={
        "model": MODEL,
        "input": {
            "description": "A text, or items.",
            "anyOf": [
                {"type": "string", "pattern": r"\S"},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "type": {"enum": list(items.KINDS)},
                            "role": {"enum": list(items.ROLES)},
                        },
                    },
                    "minItems": 1,
                },
            ],
            "examples": ["Hello!"],
        },
        "tools": {"anyOf": [{"type": "array", "items": FLAT_TOOL, "maxItems": MAX_TOOLS}, NULL]},
        "tool_choice": {"anyOf": [{"enum": list(WORDS)}, OBJECT, NULL]},
    },
    schemas={
        "ResponseTokens": closed(object={"const": "response.input_tokens"}, input_tokens=NUMBER),
        "Response": closed(
            id=STRING,
            object={"const": "response"},
            created_at=NUMBER,
            status={"enum": ["completed", "incomplete"]},
            error={"type": "null"},
            incomplete_details={"type": ["object", "null"]},
            model=STRING,
            output=array(
                {"type": "object", "properties": {"type": {"enum": OUTPUT_ITEMS}}, "required": ["type", "id"]}
            ),
            previous_response_id=NULLABLE_STRING,
            store={"type": "boolean"},
            usage=closed(
                input_tokens=NUMBER,
                input_tokens_details=closed(cached_tokens=NUMBER, cache_write_tokens=NUMBER),
                output_tokens=NUMBER,
                output_tokens_details=closed(reasoning_tokens=NUMBER),
                total_tokens=NUMBER,
            ),
        ),
    },
)
