"""What the routes answer when all goes well."""

from __future__ import annotations

import typing
from http import HTTPStatus
from typing import Any

from app.blocks import Kind
from app.dialects.openai.objects import FINISH_REASONS
from app.openapi.failures import REQUEST_ID, STRING

NULLABLE_STRING = {"type": ["string", "null"]}
NUMBER = {"type": "integer", "minimum": 0}
COUNTS = {"type": "object", "additionalProperties": NUMBER}
TIME = {"type": "number", "description": "Unix seconds."}


def closed(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object that always has these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


WINDOW = closed(
    used_percent={"type": ["number", "null"]},
    resets_at={"type": ["number", "null"], "description": "Unix seconds."},
    status=NULLABLE_STRING,
    seen_at=TIME,
)
CHUNKS = "chunks, then the usage if it was asked for, then `[DONE]`; or an error object and nothing after it."
EVENTS = "the events of the Messages API, pings among them; or an `error` event and nothing after it."
STATES = "the events of the Responses API, the last of them `response.completed`, `.incomplete` or `.failed`."
EXAMPLE = "data: {...}\n\n"
REASONS = sorted(set(FINISH_REASONS.values()))
TOOL_CALL = closed(id=STRING, type={"const": "function"}, function=closed(name=STRING, arguments=STRING))
MESSAGE = closed(
    role={"const": "assistant"}, content=NULLABLE_STRING, refusal=NULLABLE_STRING, annotations={"type": "array"}
)
MESSAGE["properties"].update(reasoning_content=STRING, tool_calls=_array(_ref("ToolCall")))
ITEMS = ["message", "function_call", "reasoning"]
BLOCKS = list(typing.get_args(Kind))
MODEL = closed(id=STRING, object={"const": "model"}, created=NUMBER, owned_by=STRING)
MODEL["properties"].update(
    name=STRING,
    description=STRING,
    context_length={**NUMBER, "description": "Tokens, once the CLI has told; also as `max_model_len`."},
    max_model_len=NUMBER,
    max_completion_tokens={**NUMBER, "description": "Tokens, once the CLI has told."},
    top_provider={"type": "object", "description": "Both once more, where clients of OpenRouter look."},
)
ANTHROPIC_MODEL = closed(
    id=STRING, type={"const": "model"}, display_name=STRING, created_at=STRING, lifecycle={"const": "active"}
)
ANTHROPIC_MODEL["properties"].update(max_input_tokens=NUMBER, max_tokens=NUMBER)
IDENTITY = {"id": STRING, "created": NUMBER, "model": STRING}
SESSION = {"id": STRING, "created_at": NUMBER, "last_used_at": NUMBER, "expires_at": NUMBER}

SCHEMAS: dict[str, Any] = {
    "Error": closed(error=closed(message=STRING, type=STRING, param=NULLABLE_STRING, code=NULLABLE_STRING)),
    "ToolCall": TOOL_CALL,
    "Usage": closed(
        prompt_tokens=NUMBER,
        completion_tokens=NUMBER,
        total_tokens=NUMBER,
        prompt_tokens_details=closed(cached_tokens=NUMBER, cache_write_tokens=NUMBER),
        completion_tokens_details=closed(reasoning_tokens=NUMBER),
    ),
    "ChatCompletion": closed(
        **IDENTITY,
        object={"const": "chat.completion"},
        choices=_array(
            closed(index=NUMBER, message=MESSAGE, logprobs={"type": "null"}, finish_reason={"enum": REASONS})
        ),
        usage=_ref("Usage"),
    ),
    "Completion": closed(
        **IDENTITY,
        object={"const": "text_completion"},
        choices=_array(
            closed(
                text=STRING,
                index=NUMBER,
                logprobs={"type": "null"},
                finish_reason={"enum": [word for word in REASONS if word != "tool_calls"]},
            )
        ),
        usage=_ref("Usage"),
    ),
    "Model": MODEL,
    "ModelList": closed(object={"const": "list"}, data=_array(_ref("Model"))),
    "AnthropicModel": ANTHROPIC_MODEL,
    "AnthropicModelList": closed(
        data=_array(_ref("AnthropicModel")), has_more={"const": False}, first_id=STRING, last_id=STRING
    ),
    "AnthropicError": closed(
        type={"const": "error"},
        error={
            **closed(type=STRING, message=STRING),
            "properties": {"type": STRING, "message": STRING, "details": closed(error_code=STRING)},
        },
        request_id=NULLABLE_STRING,
    ),
    "Message": closed(
        id=STRING,
        type={"const": "message"},
        role={"const": "assistant"},
        model=STRING,
        content=_array({"type": "object", "properties": {"type": {"enum": BLOCKS}}, "required": ["type"]}),
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
    "Response": closed(
        id=STRING,
        object={"const": "response"},
        created_at=NUMBER,
        status={"enum": ["completed", "incomplete"]},
        error={"type": "null"},
        incomplete_details={"type": ["object", "null"]},
        model=STRING,
        output=_array({"type": "object", "properties": {"type": {"enum": ITEMS}}, "required": ["type", "id"]}),
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
    "ResponseDeleted": closed(id=STRING, object={"const": "response"}, deleted={"const": True}),
    "Health": closed(status={"const": "ok"}, provider=STRING, timestamp={"type": "string", "format": "date-time"}),
    "Readiness": closed(
        status={"enum": ["ready", "not_ready"]},
        reason=NULLABLE_STRING,
        cli={"type": "object", "properties": {"found": {"type": "boolean"}}, "required": ["found"]},
        login=STRING,
        limited=NULLABLE_STRING,
        demo={"type": "boolean"},
        uptime_s={"type": "number", "minimum": 0},
        slots=closed(limit=NUMBER, running=NUMBER, waiting=NUMBER),
        spares=closed(wanted=NUMBER, ready=NUMBER),
        agents=closed(wanted=NUMBER, ready=NUMBER),
        primed=closed(limit=NUMBER, ready=NUMBER),
        kept=closed(limit=NUMBER, idle=NUMBER, parked=NUMBER),
        processes=closed(live=NUMBER, started=COUNTS, ended=COUNTS),
        plan=closed(
            windows={"type": "object", "additionalProperties": WINDOW},
            limits=_array(closed(window=STRING, models=STRING, resets_at=TIME, message=STRING)),
        ),
        last_errors=_array(closed(at=TIME, code=STRING, route=STRING)),
    ),
    "SessionList": closed(
        object={"const": "list"}, data=_array(closed(**SESSION, object={"const": "session"}, turns=NUMBER))
    ),
    "Session": closed(
        **SESSION,
        object={"const": "session"},
        system=STRING,
        messages=_array(closed(role={"enum": ["user", "assistant"]}, content=_array({"type": "object"}))),
    ),
    "SessionDeleted": closed(id=STRING, object={"const": "session.deleted"}, deleted={"const": True}),
}
HEADERS = {
    "x-request-id": REQUEST_ID,
    "openai-processing-ms": {
        "description": "Until the answer began, in milliseconds; of OpenAI's routes.",
        "schema": STRING,
    },
    "x-proxy-served": {"description": "Which process answered: kept, parked, primed, spare or cold.", "schema": STRING},
    "X-Session-Id": {"description": "The session, where the request named one.", "schema": STRING},
    "x-proxy-ignored": {"description": "Parameters that were sent and have no effect.", "schema": STRING},
}


def success(*names: str, stream: str = "") -> dict[str, Any]:
    """Return the response with an object of one of these names; `stream` says what it is made of as a stream."""
    schemas = [_ref(name) for name in names]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if stream:
        # No schema: OpenAPI 3.1 has none for the events of a stream.
        content["text/event-stream"] = {"example": EXAMPLE}
    return {
        "description": f"The answer, whole or as server-sent events: {stream}" if stream else HTTPStatus.OK.phrase,
        "headers": {header: HEADERS[header] for header in (HEADERS if stream else ["x-request-id"])},
        "content": content,
    }
