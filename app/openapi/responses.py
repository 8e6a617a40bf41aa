"""What the routes answer: objects and errors."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from app.dialects.openai.objects import FINISH_REASONS
from app.errors import ClientGone, ProxyError

STRING = {"type": "string"}
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
STREAM = "chunks, then the usage if it was asked for, then `[DONE]`; or an error object and nothing after it."
REASONS = sorted(set(FINISH_REASONS.values()))
TOOL_CALL = closed(id=STRING, type={"const": "function"}, function=closed(name=STRING, arguments=STRING))
MESSAGE = closed(
    role={"const": "assistant"}, content=NULLABLE_STRING, refusal=NULLABLE_STRING, annotations={"type": "array"}
)
MESSAGE["properties"].update(reasoning_content=STRING, tool_calls=_array(_ref("ToolCall")))
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
    "Model": closed(id=STRING, object={"const": "model"}, created=NUMBER, owned_by=STRING),
    "ModelList": closed(object={"const": "list"}, data=_array(_ref("Model"))),
    "Health": closed(status={"const": "ok"}, provider=STRING, timestamp={"type": "string", "format": "date-time"}),
    "Readiness": closed(
        status={"enum": ["ready", "not_ready"]},
        reason=NULLABLE_STRING,
        cli={"type": "object", "properties": {"found": {"type": "boolean"}}, "required": ["found"]},
        login=STRING,
        limited=NULLABLE_STRING,
        uptime_s={"type": "number", "minimum": 0},
        slots=closed(limit=NUMBER, running=NUMBER, waiting=NUMBER),
        spares=closed(wanted=NUMBER, ready=NUMBER),
        agents=closed(wanted=NUMBER, ready=NUMBER),
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
    "x-request-id": {"description": "What the log calls this request.", "schema": STRING},
    "x-proxy-served": {"description": "Which process answered: kept, parked, spare or cold.", "schema": STRING},
    "X-Session-Id": {"description": "The session, where the request named one.", "schema": STRING},
    "x-proxy-ignored": {"description": "Parameters that were sent and have no effect.", "schema": STRING},
}


def success(name: str, *, turn: bool = False) -> dict[str, Any]:
    """Return the response with an object of this name; that of a `turn` may also be a stream."""
    content: dict[str, Any] = {"application/json": {"schema": _ref(name)}}
    if turn:
        # No schema: OpenAPI 3.1 has none for the events of a stream.
        content["text/event-stream"] = {"example": 'data: {"id": "...", "choices": [...]}\n\ndata: [DONE]\n\n'}
    return {
        "description": f"The answer, whole or as server-sent events: {STREAM}" if turn else HTTPStatus.OK.phrase,
        "headers": {header: HEADERS[header] for header in (HEADERS if turn else ["x-request-id"])},
        "content": content,
    }


def failure(status: int) -> dict[str, str]:
    """Return a reference to one of `failures`."""
    return {"$ref": f"#/components/responses/{_name(status)}"}


def failures() -> dict[str, dict[str, Any]]:
    """Return the response of each status an error can have, by name."""
    told: dict[int, list[str]] = {}
    for kind in _kinds(ProxyError):
        if kind is not ClientGone:
            code = f"`{kind.code}`: " if kind.code else ""
            first = (kind.__doc__ or "").partition("\n")[0] if kind is not ProxyError else "The log has the reason."
            told.setdefault(kind.status, []).append(code + first)
    return {
        _name(status): {
            "description": " ".join(sentences),
            "headers": {
                "x-request-id": HEADERS["x-request-id"],
                "x-should-retry": {"description": "Whether asking again may help.", "schema": STRING},
                "Retry-After": {"description": "Seconds, where they are known.", "schema": STRING},
            },
            "content": {"application/json": {"schema": _ref("Error")}},
        }
        for status, sentences in sorted(told.items())
    }


def failing() -> list[int]:
    """Return the statuses that errors can have."""
    return sorted({kind.status for kind in _kinds(ProxyError) if kind is not ClientGone})


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _kinds(kind: type[ProxyError]) -> Iterator[type[ProxyError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _kinds(inner)
