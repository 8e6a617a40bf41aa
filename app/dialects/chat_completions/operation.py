"""What the OpenAPI document says of chat completions."""

from __future__ import annotations

from app.dialects.chat_completions.messages import ROLES
from app.dialects.chat_completions.schema import ChatRequest
from app.dialects.chat_completions.tools import MAX_TOOLS
from app.dialects.dialect import Operation
from app.dialects.openai.schemas import CHUNKS, FUNCTION, IDENTITY, REASONS, STOP, USAGE
from app.dialects.parameters import EFFORTS, FORMATS
from app.dialects.schema_words import MODEL, NULL, NULLABLE_STRING, NUMBER, OBJECT, STRING, array, closed, ref
from app.dialects.tools import WORDS

PARTS = {
    "type": "array",
    "items": {
        "anyOf": [
            {
                "type": "object",
                "properties": {"type": {"enum": ["text", "input_text"]}, "text": STRING},
                "required": ["type", "text"],
            },
            {
                "type": "object",
                "description": "A picture: a data: URL, or an address that Anthropic's API fetches.",
                "properties": {
                    "type": {"const": "image_url"},
                    "image_url": {"type": "object", "properties": {"url": STRING}, "required": ["url"]},
                },
                "required": ["type", "image_url"],
            },
            {
                "type": "object",
                "description": "A PDF or a text, as a data: URL or in base64.",
                "properties": {
                    "type": {"const": "file"},
                    "file": {
                        "type": "object",
                        "properties": {"file_data": STRING, "filename": STRING},
                        "required": ["file_data"],
                    },
                },
                "required": ["type", "file"],
            },
        ]
    },
}
MESSAGE = {
    "type": "object",
    "properties": {
        "role": {"enum": list(ROLES)},
        "content": {"anyOf": [STRING, PARTS, NULL]},
        "tool_calls": {"type": "array", "items": ref("ToolCall")},
        "tool_call_id": STRING,
    },
    "required": ["role"],
    "examples": [{"role": "user", "content": "Hello!"}],
}
TOOL = {
    "type": "object",
    "properties": {"type": {"const": "function"}, "function": FUNCTION},
    "required": ["type", "function"],
}
TOOL_CALL = closed(id=STRING, type={"const": "function"}, function=closed(name=STRING, arguments=STRING))
ANSWER_MESSAGE = closed(
    role={"const": "assistant"}, content=NULLABLE_STRING, refusal=NULLABLE_STRING, annotations={"type": "array"}
)
ANSWER_MESSAGE["properties"].update(reasoning_content=STRING, tool_calls=array(ref("ToolCall")))

OPERATION = Operation(
    id="createChatCompletion",
    summary="Answer a conversation.",
    request=ChatRequest,
    answer="ChatCompletion",
    stream=CHUNKS,
    filled={
        "model": MODEL,
        "messages": {"type": "array", "items": MESSAGE, "minItems": 1},
        "tools": {"anyOf": [{"type": "array", "items": TOOL, "maxItems": MAX_TOOLS}, NULL]},
        "tool_choice": {"anyOf": [{"enum": list(WORDS)}, OBJECT, NULL]},
        "functions": {"anyOf": [{"type": "array", "items": FUNCTION, "maxItems": MAX_TOOLS}, NULL]},
        "function_call": {"anyOf": [{"enum": ["none", "auto"]}, OBJECT, NULL]},
        "response_format": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "type": {"enum": list(FORMATS)},
                        "json_schema": {
                            "type": "object",
                            "properties": {"name": STRING, "schema": OBJECT},
                        },
                    },
                    "required": ["type"],
                },
                NULL,
            ]
        },
        "reasoning_effort": {"anyOf": [{"enum": list(EFFORTS)}, NULL]},
        "modalities": {"anyOf": [{"type": "array", "items": {"const": "text"}}, NULL]},
        "stop": STOP,
    },
    schemas={
        "ToolCall": TOOL_CALL,
        "Usage": USAGE,
        "ChatCompletion": closed(
            **IDENTITY,
            object={"const": "chat.completion"},
            choices=array(
                closed(index=NUMBER, message=ANSWER_MESSAGE, logprobs={"type": "null"}, finish_reason={"enum": REASONS})
            ),
            usage=ref("Usage"),
        ),
    },
)
