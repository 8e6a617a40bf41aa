"""What the routes answer when all goes well."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from app.dialects.schema_words import NULLABLE_STRING, NUMBER, STRING, array, closed, ref
from app.openapi.failures import REQUEST_ID

COUNTS = {"type": "object", "additionalProperties": NUMBER}
TIME = {"type": "number", "description": "Unix seconds."}


WINDOW = closed(
    used_percent={"type": ["number", "null"]},
    resets_at={"type": ["number", "null"], "description": "Unix seconds."},
    status=NULLABLE_STRING,
    seen_at=TIME,
)
EXAMPLE = "data: {...}\n\n"
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
SESSION = {"id": STRING, "created_at": NUMBER, "last_used_at": NUMBER, "expires_at": NUMBER}

SCHEMAS: dict[str, Any] = {
    "Error": closed(error=closed(message=STRING, type=STRING, param=NULLABLE_STRING, code=NULLABLE_STRING)),
    "Model": MODEL,
    "ModelList": closed(object={"const": "list"}, data=array(ref("Model"))),
    "AnthropicModel": ANTHROPIC_MODEL,
    "AnthropicModelList": closed(
        data=array(ref("AnthropicModel")), has_more={"const": False}, first_id=STRING, last_id=STRING
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
        kept=closed(limit=NUMBER, idle=NUMBER, parked=NUMBER),
        processes=closed(live=NUMBER, started=COUNTS, ended=COUNTS),
        plan=closed(
            windows={"type": "object", "additionalProperties": WINDOW},
            limits=array(closed(window=STRING, models=STRING, resets_at=TIME, message=STRING)),
        ),
        last_errors=array(closed(at=TIME, code=STRING, route=STRING)),
    ),
    "SessionList": closed(
        object={"const": "list"}, data=array(closed(**SESSION, object={"const": "session"}, turns=NUMBER))
    ),
    "Session": closed(
        **SESSION,
        object={"const": "session"},
        system=STRING,
        messages=array(closed(role={"enum": ["user", "assistant"]}, content=array({"type": "object"}))),
    ),
    "SessionDeleted": closed(id=STRING, object={"const": "session.deleted"}, deleted={"const": True}),
}
HEADERS = {
    "x-request-id": REQUEST_ID,
    "openai-processing-ms": {
        "description": "Until the answer began, in milliseconds; of OpenAI's routes.",
        "schema": STRING,
    },
    "x-proxy-served": {
        "description": "Which process answered: kept, parked, rewound, reused, spare or cold.",
        "schema": STRING,
    },
    "X-Session-Id": {"description": "The session, where the request named one.", "schema": STRING},
    "x-proxy-ignored": {"description": "Parameters that were sent and have no effect.", "schema": STRING},
    "x-proxy-interrupted": {"description": "Tool calls without a result, told as interrupted.", "schema": STRING},
}


def success(*names: str, stream: str = "") -> dict[str, Any]:
    """Return the response with an object of one of these names; `stream` says what it is made of as a stream."""
    schemas = [ref(name) for name in names]
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
