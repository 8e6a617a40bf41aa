"""The document itself: every route, with and without /v1."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import msgspec

from app.dialects import DIALECTS
from app.dialects.dialect import Counter, Dialect, Envelope
from app.dialects.ollama.errors import ENVELOPE as OLLAMA
from app.dialects.openai.answers import ENVELOPE as OPENAI
from app.dialects.schema_words import ref
from app.ledger.report import GROUPS, PERIODS
from app.openapi import failures, requests, responses
from app.sessions.store import MAX_ID_CHARACTERS
from app.version import __version__

PREFIX = "/v1"
# What can go wrong where no model is asked.
PLAIN_FAILURES = (401, 403, 404, 405, 500)
MODELS = "What this login may use; to a request with the header `anthropic-version` in Anthropic's shape."
USAGE = "Who used how much; a key sees its own, one that may see all figures sees all."
USAGE_BY = {
    "name": "by",
    "in": "query",
    "description": "What to sum by.",
    "schema": {"enum": [*GROUPS], "default": "key"},
}
USAGE_SINCE = {
    "name": "since",
    "in": "query",
    "description": f"A period {PERIODS}.",
    "schema": {
        "type": "string",
        "default": "7d",
        "pattern": "^([1-9][0-9]{0,3}(min|h|d|w)|20[0-9]{2}-0[1-9]-[12][0-9])$",
    },
}
MODEL_ID = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "An id or alias, perhaps behind a provider's name and a slash.",
    "schema": {"type": "string", "minLength": 1, "examples": ["claude-sonnet-4"]},
}

TOPIC = {"name": "topic", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
PAGE_FILE = {"name": "name", "in": "path", "required": True, "schema": {"enum": ["page.css"]}}
SESSION_ID = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
SESSION_HEADER = {
    "name": "X-Session-Id",
    "in": "header",
    "description": "The conversation that the messages go on with; also as `session_id` in the body.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS},
}


@functools.cache
def encoded(dialects: tuple[Dialect, ...] = DIALECTS) -> bytes:
    """Return the document as JSON."""
    return msgspec.json.encode(document(dialects))


def document(dialects: tuple[Dialect, ...] = DIALECTS) -> dict[str, Any]:
    """Return the document: OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.1 ."""
    paths = {
        "/health": {"get": _reading("health", "Whether the server runs.", "Health")},
        "/ready": {"get": _readiness()},
        "/": {"get": _text("page", "The status page.", "text/html")},
        "/page/{name}": {
            "get": {**_text("pageFile", "One of the status page's own files.", "text/css"), "parameters": [PAGE_FILE]},
        },
        "/docs": {"get": _text("documents", "The list of documents.", "text/html")},
        "/docs/{topic}": {
            "get": {**_text("document", "One of the documents.", "text/html"), "parameters": [TOPIC]},
        },
        "/events": {"get": _text("events", "What the status page shows, as it changes.", "text/event-stream")},
        "/resume": {"post": _accepting()},
        "/metrics": {"get": _text("metrics", "The server's numbers, for Prometheus.", "text/plain")},
    }
    for prefix in (PREFIX, ""):
        for path, item in {**_turns([dialect for dialect in dialects if not dialect.root]), **_api()}.items():
            paths[prefix + path] = item if prefix else _unprefixed(item)
    paths |= _turns([dialect for dialect in dialects if dialect.root]) | _ollama()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "claude-max-api-proxy",
            "version": __version__,
            "description": "What this server speaks of OpenAI's and Anthropic's APIs, over the Claude Code CLI.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        # A server without keys looks at none.
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": {**requests.schemas(dialects), **_answers(dialects), **responses.SCHEMAS},
            "responses": failures.failures({dialect.envelope for dialect in dialects}),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _api() -> dict[str, Any]:
    model = _reading("retrieveModel", "One model, by id, alias or prefixed name.", "Model", "AnthropicModel")
    return {
        "/responses/{name}": {
            "get": {
                **_stored("retrieveResponse", "A response that is kept.", "Response"),
                "parameters": [SESSION_ID],
            },
            "delete": {
                **_stored("deleteResponse", "Forget a response.", "ResponseDeleted"),
                "parameters": [SESSION_ID],
            },
        },
        "/models": {"get": _reading("listModels", MODELS, "ModelList", "AnthropicModelList")},
        "/models/{name}": {"get": {**model, "parameters": [MODEL_ID]}},
        "/sessions": {"get": _stored("listSessions", "The conversations kept here.", "SessionList")},
        "/sessions/{name}": {
            "get": {**_stored("retrieveSession", "One, with its transcript.", "Session"), "parameters": [SESSION_ID]},
            "delete": {**_stored("deleteSession", "Forget one.", "SessionDeleted"), "parameters": [SESSION_ID]},
        },
        "/usage": {"get": _usage()},
        "/openapi.json": {"get": _self()},
    }


def _ollama() -> dict[str, Any]:
    show = {
        "operationId": "ollamaShow",
        "summary": "What is known of one model. Costs nothing.",
        **_asking(ref("OllamaName"), responses.success("OllamaModel"), OLLAMA),
    }
    return {
        "/api/tags": {"get": _reading("ollamaTags", "What this login may use.", "OllamaModels", words=OLLAMA)},
        "/api/ps": {"get": _reading("ollamaRunning", "Models in memory: none.", "OllamaRunning", words=OLLAMA)},
        "/api/version": {"get": _reading("ollamaVersion", "The API's version.", "OllamaVersion", words=OLLAMA)},
        "/api/show": {"post": show},
    }


def _turns(dialects: Sequence[Dialect]) -> dict[str, Any]:
    turns = {dialect.path: {"post": _turn(dialect)} for dialect in dialects}
    counts = {
        dialect.path + dialect.counter.path: {"post": _count(dialect.counter, dialect.envelope)}
        for dialect in dialects
        if dialect.counter is not None
    }
    return turns | counts


def _answers(dialects: tuple[Dialect, ...]) -> dict[str, Any]:
    return {name: schema for dialect in dialects for name, schema in dialect.operation.schemas.items()}


def _turn(dialect: Dialect) -> dict[str, Any]:
    operation = dialect.operation
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": [SESSION_HEADER] if dialect.sessions else [],
        **_asking(
            _body(operation.request),
            responses.success(operation.answer, stream=operation.stream, stream_type=dialect.stream_type),
            dialect.envelope,
        ),
    }


def _count(counter: Counter, words: Envelope) -> dict[str, Any]:
    return {
        "operationId": counter.id,
        "summary": f"{counter.summary} Costs nothing.",
        **_asking(_body(counter.request), responses.counted(counter.answer), words),
    }


def _body(body: type[msgspec.Struct]) -> dict[str, Any]:
    return ref(body.__name__)


def _asking(schema: dict[str, Any], success: dict[str, Any], words: Envelope) -> dict[str, Any]:
    answers = {200: success, **{status: failures.failure(status, words) for status in failures.failing(words)}}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {str(status): response for status, response in answers.items()},
    }


def _reading(operation: str, summary: str, *answers: str, words: Envelope = OPENAI) -> dict[str, Any]:
    failing = {status: failures.failure(status, words) for status in PLAIN_FAILURES}
    described = {200: responses.success(*answers), **failing}
    return {
        "operationId": operation,
        "summary": f"{summary} Costs nothing.",
        "responses": {str(status): response for status, response in described.items()},
    }


def _stored(operation: str, summary: str, answer: str) -> dict[str, Any]:
    described = _reading(operation, summary, answer)
    described["responses"]["503"] = failures.failure(503)
    return described


def _usage() -> dict[str, Any]:
    operation = _stored("usage", USAGE, "UsageReport")
    operation["responses"]["400"] = failures.failure(400)
    return {**operation, "parameters": [USAGE_BY, USAGE_SINCE]}


def _readiness() -> dict[str, Any]:
    operation = _reading("ready", "Whether a request would be answered.", "Readiness")
    not_ready = {**responses.success("Readiness"), "description": "It would not; `reason` says what to do."}
    operation["responses"]["503"] = not_ready
    return operation


def _accepting() -> dict[str, Any]:
    operation = _reading("resume", "Accept the extra usage that is known until its end.", "Accepted")
    return {
        **operation,
        "summary": "Accept the extra usage that is known until its end: answers go on, and are billed.",
    }


def _text(operation: str, summary: str, kind: str) -> dict[str, Any]:
    described = _reading(operation, summary, "Health")
    described["responses"]["200"]["content"] = {kind: {"schema": {"type": "string"}}}
    return described


def _self() -> dict[str, Any]:
    operation = _reading("openapi", "This document.", "Health")
    operation["responses"]["200"]["content"] = {"application/json": {"schema": {"type": "object"}}}
    return operation


def _unprefixed(item: dict[str, Any]) -> dict[str, Any]:
    """Return a path that is also there without /v1: the same under other operation ids."""
    return {
        method: {**operation, "operationId": f"{operation['operationId']}Unprefixed"}
        for method, operation in item.items()
    }
