"""What the routes answer when all goes well."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from app.dialects.schema_words import NULLABLE_STRING, NUMBER, STRING, array, closed, ref
from app.openapi.failures import REQUEST_ID

COUNTS = {"type": "object", "additionalProperties": NUMBER}
TIME = {"type": "number", "description": "Unix seconds."}


EXTRA = closed(window=STRING, models=STRING, since=TIME, until=TIME, accepted={"type": "boolean"})
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

USED = {
    "requests": NUMBER,
    "failed": NUMBER,
    "input_tokens": NUMBER,
    "output_tokens": NUMBER,
    "cache_read_tokens": NUMBER,
    "cache_write_tokens": NUMBER,
    "dollars": {"type": "number", "description": "At list price, without those of the unpriced requests."},
    "unpriced": {**NUMBER, "description": "Requests whose price is not known."},
}

SCHEMAS: dict[str, Any] = {
    "UsageReport": closed(
        object={"const": "usage"},
        by={"enum": ["key", "model", "day", "client"]},
        since=TIME,
        data=array(closed(name=STRING, **USED)),
        total=closed(**USED),
    ),
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
        paid_by=STRING,
        limited=NULLABLE_STRING,
        demo={"type": "boolean"},
        captures={**NUMBER, "description": "How many of the last requests are kept with their contents."},
        uptime_s={"type": "number", "minimum": 0},
        slots=closed(limit=NUMBER, running=NUMBER, waiting=NUMBER),
        spares=closed(wanted=NUMBER, ready=NUMBER),
        agents=closed(wanted=NUMBER, ready=NUMBER),
        kept=closed(limit=NUMBER, idle=NUMBER, parked=NUMBER),
        processes=closed(live=NUMBER, started=COUNTS, ended=COUNTS),
        plan=closed(
            windows={"type": "object", "additionalProperties": WINDOW},
            limits=array(closed(window=STRING, models=STRING, resets_at=TIME, message=STRING)),
            extra=array(EXTRA),
            refuses_extra={"type": "boolean"},
            name=NULLABLE_STRING,
        ),
        last_errors=array(
            closed(at=TIME, code=STRING, method=STRING, route=STRING, model=NULLABLE_STRING, message=NULLABLE_STRING),
        ),
    ),
    "Accepted": closed(accepted=array(EXTRA)),
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
IGNORED = {"description": "Parameters that were sent and have no effect.", "schema": STRING}
COUNT = {
    "description": "Whether Anthropic's counter counted all of it, or some was estimated.",
    "schema": {"enum": ["exact", "estimate"]},
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
    "x-proxy-fallback": {
        "description": "Which model was asked in the place of which, such as `opus -> haiku`, if another one was.",
        "schema": STRING,
    },
    "x-proxy-billing": {
        "description": "`extra` where extra usage pays for it; of a stream as far as that is known when it begins.",
        "schema": STRING,
    },
    "x-ratelimit-remaining-tokens": {
        "description": "What is left of the API key's budget; also -limit- and -reset-, and requests, dollars, share.",
        "schema": STRING,
    },
    "X-Session-Id": {"description": "The session, where the request named one.", "schema": STRING},
    "x-proxy-claude-session": {
        "description": "The id for `claude --resume`, where Claude Code keeps the session.",
        "schema": STRING,
    },
    "x-proxy-ignored": IGNORED,
    "x-proxy-demo": {"description": "Is 1 where the answers are the demo's.", "schema": STRING},
    "x-proxy-captured": {"description": "Is 1 where the server keeps the request for bug reports.", "schema": STRING},
    "x-proxy-interrupted": {"description": "Tool calls without a result, told as interrupted.", "schema": STRING},
}


def counted(name: str) -> dict[str, Any]:
    """Return the response with a number of tokens, an object of this name."""
    response = success(name)
    return {**response, "headers": {**response["headers"], "x-proxy-count": COUNT, "x-proxy-ignored": IGNORED}}


def success(*names: str, stream: str = "", stream_type: str = "") -> dict[str, Any]:
    """Return the response with an object of one of these names; `stream` says what it is made of as a stream."""
    schemas = [ref(name) for name in names]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if stream:
        # No schema: OpenAPI 3.1 has none for the parts of a stream.
        content[stream_type.partition(";")[0]] = {"example": EXAMPLE}
    return {
        "description": f"The answer, whole or streamed: {stream}" if stream else HTTPStatus.OK.phrase,
        "headers": {header: HEADERS[header] for header in (HEADERS if stream else ["x-request-id"])},
        "content": content,
    }
