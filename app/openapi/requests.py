"""What the routes accept: schemas of the very structs that check the bodies, with the untyped parts filled in."""

from __future__ import annotations

from typing import Any

import msgspec

from app.dialects.chat_completions import tools as chat_tools
from app.dialects.chat_completions.messages import ROLES
from app.dialects.chat_completions.schema import ChatRequest
from app.dialects.completions.schema import CompletionRequest
from app.dialects.messages import history
from app.dialects.messages.schema import MessageRequest
from app.dialects.messages.tools import CHOICES
from app.dialects.openai.answer_schema import KINDS
from app.dialects.openai.effort import EFFORTS
from app.dialects.openai.options import MOST_ANSWERS
from app.dialects.openai.tool_choice import WORDS
from app.dialects.responses import items as responses
from app.dialects.responses.schema import ResponseRequest
from app.dialects.stops import MOST_STOPS
from app.dialects.tools import MAX_TOOLS

REF = "#/components/schemas/{name}"
STRUCTS = (ChatRequest, CompletionRequest, ResponseRequest, MessageRequest)

STRING = {"type": "string"}
NULL = {"type": "null"}
OBJECT = {"type": "object"}
STOP = {
    "description": "Texts before which the answer ends.",
    "anyOf": [STRING, {"type": "array", "items": STRING, "maxItems": MOST_STOPS}, NULL],
}
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
        "tool_calls": {"type": "array", "items": {"$ref": REF.format(name="ToolCall")}},
        "tool_call_id": STRING,
    },
    "required": ["role"],
    "examples": [{"role": "user", "content": "Hello!"}],
}
FUNCTION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,128}$"},
        "description": STRING,
        "parameters": {"type": "object", "description": "A JSON Schema (draft 2020-12) of an object."},
    },
    "required": ["name"],
}
TOOL = {
    "type": "object",
    "properties": {"type": {"const": "function"}, "function": FUNCTION},
    "required": ["type", "function"],
}
FLAT_TOOL = {**FUNCTION, "properties": {**FUNCTION["properties"], "type": {"const": "function"}}}
FLAT_TOOL["required"] = ["type", "name"]
OWN_TOOL = {
    "type": "object",
    "properties": {
        "name": FUNCTION["properties"]["name"],
        "description": STRING,
        "input_schema": {"type": "object", "description": "A JSON Schema (draft 2020-12) of an object."},
        "type": {"const": "custom"},
    },
    "required": ["name", "input_schema"],
}

# What the structs leave to a closer look, by struct and field.
FILLED: dict[str, dict[str, Any]] = {
    "ChatRequest": {
        "model": {"type": "string", "pattern": r"\S", "examples": ["claude-sonnet-4"]},
        "messages": {"type": "array", "items": MESSAGE, "minItems": 1},
        "tools": {"anyOf": [{"type": "array", "items": TOOL, "maxItems": chat_tools.MAX_TOOLS}, NULL]},
        "tool_choice": {"anyOf": [{"enum": ["none", "auto", "required"]}, OBJECT, NULL]},
        "functions": {"anyOf": [{"type": "array", "items": FUNCTION, "maxItems": chat_tools.MAX_TOOLS}, NULL]},
        "function_call": {"anyOf": [{"enum": ["none", "auto"]}, OBJECT, NULL]},
        "response_format": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "type": {"enum": list(KINDS)},
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
    "ResponseRequest": {
        "model": {"type": "string", "pattern": r"\S", "examples": ["claude-sonnet-4"]},
        "input": {
            "description": "A text, or items.",
            "anyOf": [
                {"type": "string", "pattern": r"\S"},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "type": {"enum": list(responses.KINDS)},
                            "role": {"enum": list(responses.ROLES)},
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
    "MessageRequest": {
        "model": {"type": "string", "pattern": r"\S", "examples": ["claude-sonnet-4"]},
        "messages": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "role": {"enum": list(history.ROLES)},
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
        "stop_sequences": {"anyOf": [{"type": "array", "items": STRING, "maxItems": MOST_STOPS}, NULL]},
        "tools": {"anyOf": [{"type": "array", "items": OWN_TOOL, "maxItems": MAX_TOOLS}, NULL]},
        "tool_choice": {
            "anyOf": [{"type": "object", "properties": {"type": {"enum": list(CHOICES)}}, "required": ["type"]}, NULL]
        },
    },
    "CompletionRequest": {
        "model": {"type": "string", "pattern": r"\S", "examples": ["claude-haiku-4"]},
        "prompt": {
            "description": f"One text, or several; times `n` they may be at most {MOST_ANSWERS}.",
            "anyOf": [
                {"type": "string", "pattern": r"\S"},
                {
                    "type": "array",
                    "items": {"type": "string", "pattern": r"\S"},
                    "minItems": 1,
                    "maxItems": MOST_ANSWERS,
                },
            ],
            "examples": ["def fibonacci(n):\n"],
        },
        "stop": STOP,
    },
}


def schemas() -> dict[str, Any]:
    """Return the schemas of all request bodies by name."""
    _, found = msgspec.json.schema_components(STRUCTS, ref_template=REF)
    for name, schema in found.items():
        schema["properties"].update(FILLED.get(name, {}))
        schema["additionalProperties"] = True
    for struct in STRUCTS:
        found[struct.__name__]["description"] = "Further fields are accepted; `x-proxy-ignored` names them."
    return found
