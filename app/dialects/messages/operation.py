"""What the OpenAPI document says of messages."""

from __future__ import annotations

import typing

from app.blocks import Kind
from app.dialects.anthropic.tools import CHOICES
from app.dialects.dialect import Operation
from app.dialects.messages import messages
from app.dialects.messages.schema import MessageRequest
from app.dialects.parameters import MAX_STOPS
from app.dialects.schema_words import FUNCTION_NAME, MODEL, NULL, NULLABLE_STRING, NUMBER, OBJECT, STRING, array, closed
from app.dialects.tools import MAX_TOOLS

EVENTS = "the events of the Messages API, pings among them; or an `error` event and nothing after it."
OWN_TOOL = {
    "type": "object",
    "properties": {
        "name": FUNCTION_NAME,
        "description": STRING,
        "input_schema": {"type": "object", "description": "A JSON Schema (draft 2020-12) of an object."},
        "type": {"const": "custom"},
    },
    "required": ["name", "input_schema"],
}

BLOCKS = list(typing.get_args(Kind))

OPERATION = Operation(
    id="createMessage",
    summary="Answer a conversation.",
    request=MessageRequest,
    answer="Message",
    stream=EVENTS,
    filled={
        "model": MODEL,
        "messages": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "role": {"enum": list(messages.ROLES)},
                    "content": {
                        "anyOf": [
                            STRING,
                            {"type": "array", "items": {"type": "object", "properties": {"type": STRING}}},
                        ]
                    },
                },
                "required": ["role", "content"],
                "examples": [{"role": "user", "content": "Hello!"}],
            },
            "minItems": 1,
        },
        "system": {"anyOf": [STRING, {"type": "array", "items": OBJECT}, NULL]},
        "stop_sequences": {"anyOf": [{"type": "array", "items": STRING, "maxItems": MAX_STOPS}, NULL]},
        "tools": {"anyOf": [{"type": "array", "items": OWN_TOOL, "maxItems": MAX_TOOLS}, NULL]},
        "tool_choice": {
            "anyOf": [{"type": "object", "properties": {"type": {"enum": list(CHOICES)}}, "required": ["type"]}, NULL]
        },
    },
    schemas={
        "AnthropicError": closed(
            type={"const": "error"},
            error={
                **closed(type=STRING, message=STRING),
                "properties": {"type": STRING, "message": STRING, "details": closed(error_code=STRING)},
            },
            request_id=NULLABLE_STRING,
        ),
        "MessageTokens": closed(input_tokens=NUMBER),
        "Message": closed(
            id=STRING,
            type={"const": "message"},
            role={"const": "assistant"},
            model=STRING,
            content=array({"type": "object", "properties": {"type": {"enum": BLOCKS}}, "required": ["type"]}),
            stop_reason=STRING,
            stop_sequence=NULLABLE_STRING,
            usage=closed(
                input_tokens=NUMBER,
                cache_creation_input_tokens=NUMBER,
                cache_read_input_tokens=NUMBER,
                output_tokens=NUMBER,
                output_tokens_details=closed(thinking_tokens=NUMBER),
            ),
        ),
    },
)
