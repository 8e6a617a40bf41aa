"""What the OpenAPI document says of Ollama's API."""

from __future__ import annotations

from typing import Any

from app.dialects.dialect import Operation
from app.dialects.ollama.messages import ROLES
from app.dialects.ollama.schema import OllamaChat, OllamaGenerate
from app.dialects.schema_words import MODEL, NULL, NUMBER, OBJECT, STRING, array, closed
from app.dialects.tools import MAX_TOOLS

LINES = "a line of JSON for each piece, the last with `done` and the numbers; or a line with an `error`."
IMAGES = {"type": "array", "items": {"type": "string", "description": "A picture in base64."}}
TOOL = {
    "type": "object",
    "properties": {
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,128}$"},
                "description": STRING,
                "parameters": OBJECT,
            },
            "required": ["name"],
        },
    },
    "required": ["function"],
}
MESSAGE = {
    "type": "object",
    "properties": {"role": {"enum": list(ROLES)}, "content": STRING, "images": IMAGES},
    "required": ["role", "content"],
    "examples": [{"role": "user", "content": "Hello!"}],
}
SHARED: dict[str, Any] = {
    "model": MODEL,
    "format": {"anyOf": [{"enum": ["json", ""]}, OBJECT, NULL]},
    "think": {"anyOf": [{"type": "boolean"}, STRING, NULL]},
    "options": {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "num_predict": {"type": "integer", "maximum": 2**31 - 1},
                    "stop": {"anyOf": [STRING, array(STRING)]},
                },
            },
            NULL,
        ]
    },
}
DONE = closed(model=STRING, created_at=STRING, done={"type": "boolean"}, done_reason=STRING)
DONE["properties"].update(
    total_duration=NUMBER,
    load_duration=NUMBER,
    prompt_eval_count=NUMBER,
    prompt_eval_duration=NUMBER,
    eval_count=NUMBER,
    eval_duration=NUMBER,
)
CALL = {"type": "object", "properties": {"id": STRING, "function": closed(name=STRING, arguments=OBJECT)}}
SAID = closed(role={"const": "assistant"}, content=STRING)
SAID["properties"].update(thinking=STRING, tool_calls=array(CALL))
DETAILS = closed(
    parent_model=STRING,
    format=STRING,
    family=STRING,
    families=array(STRING),
    parameter_size=STRING,
    quantization_level=STRING,
)
LISTED = closed(name=STRING, model=STRING, modified_at=STRING, size=NUMBER, digest=STRING, details=DETAILS)
ERROR = closed(error=STRING)

CHAT = Operation(
    id="ollamaChat",
    summary="Answer a conversation, for clients of Ollama.",
    request=OllamaChat,
    answer="OllamaChatAnswer",
    stream=LINES,
    filled={
        **SHARED,
        "messages": {"anyOf": [{"type": "array", "items": MESSAGE}, NULL]},
        "tools": {"anyOf": [{"type": "array", "items": TOOL, "maxItems": MAX_TOOLS}, NULL]},
    },
    schemas={
        "OllamaError": ERROR,
        "OllamaChatAnswer": {"allOf": [DONE, closed(message=SAID)]},
        "OllamaModels": closed(models=array(LISTED)),
        "OllamaRunning": closed(models=array(OBJECT)),
        "OllamaModel": closed(
            modified_at=STRING, details=DETAILS, model_info=OBJECT, capabilities=array(STRING), template=STRING
        ),
        "OllamaVersion": closed(version=STRING),
        "OllamaName": {
            "type": "object",
            "properties": {"model": MODEL},
            "required": ["model"],
            "description": "The model, also as `name`.",
        },
    },
)
GENERATE = Operation(
    id="ollamaGenerate",
    summary="Answer a text, for clients of Ollama.",
    request=OllamaGenerate,
    answer="OllamaAnswer",
    stream=LINES,
    filled={**SHARED, "images": {"anyOf": [IMAGES, NULL]}},
    schemas={
        "OllamaError": ERROR,
        "OllamaAnswer": {"allOf": [DONE, closed(response=STRING)]},
    },
)
