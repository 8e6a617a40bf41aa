"""The document itself: every route, with and without /v1."""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from app.dialects import DIALECTS
from app.dialects.dialect import Dialect
from app.dialects.messages.dialect import ENVELOPE as ANTHROPIC
from app.openapi import failures, requests, responses
from app.sessions.store import MAX_ID_CHARACTERS
from app.version import __version__

PREFIX = "/v1"
# What can go wrong where no model is asked.
PLAIN_FAILURES = (401, 403, 404, 405, 500)
MODELS = "What this login may use; to a request with the header `anthropic-version` in Anthropic's shape."
MODEL_ID = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "An id or alias, perhaps behind a provider's name and a slash.",
    "schema": {"type": "string", "minLength": 1, "examples": ["claude-sonnet-4"]},
}

TOPIC = {"name": "topic", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
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
        "/page.js": {"get": _text("pageScript", "The status page's script.", "text/javascript")},
        "/page.css": {"get": _text("pageStyle", "The status page's style.", "text/css")},
        "/docs": {"get": _text("documents", "The list of documents.", "text/html")},
        "/docs/{topic}": {
            "get": {**_text("document", "One of the documents.", "text/html"), "parameters": [TOPIC]},
        },
        "/events": {"get": _text("events", "What the status page shows, as it changes.", "text/event-stream")},
        "/metrics": {"get": _text("metrics", "The server's numbers, for Prometheus.", "text/plain")},
    }
    for prefix in (PREFIX, ""):
        for path, item in {**_turns(dialects), **_api()}.items():
            paths[prefix + path] = item if prefix else _unprefixed(item)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "claude-max-api-proxy",
            "version": __version__,
            "description": "What this server speaks of OpenAI's and Anthropic's APIs, over the Claude Code CLI.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        # Without keys on the server's side none is looked at.
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
        "/messages/count_tokens": {"post": _not_offered("countTokens", "Count the tokens of a conversation.")},
        "/models": {"get": _reading("listModels", MODELS, "ModelList", "AnthropicModelList")},
        "/models/{name}": {"get": {**model, "parameters": [MODEL_ID]}},
        "/sessions": {"get": _stored("listSessions", "The conversations kept here.", "SessionList")},
        "/sessions/{name}": {
            "get": {**_stored("retrieveSession", "One, with its transcript.", "Session"), "parameters": [SESSION_ID]},
            "delete": {**_stored("deleteSession", "Forget one.", "SessionDeleted"), "parameters": [SESSION_ID]},
        },
        "/openapi.json": {"get": _self()},
    }


def _turns(dialects: tuple[Dialect, ...]) -> dict[str, Any]:
    return {dialect.path: {"post": _turn(dialect)} for dialect in dialects}


def _answers(dialects: tuple[Dialect, ...]) -> dict[str, Any]:
    return {name: schema for dialect in dialects for name, schema in dialect.operation.schemas.items()}


def _turn(dialect: Dialect) -> dict[str, Any]:
    operation, errors = dialect.operation, dialect.envelope
    body = {"application/json": {"schema": {"$ref": requests.REF.format(name=operation.request.__name__)}}}
    answers = {
        200: responses.success(operation.answer, stream=operation.stream),
        **{status: failures.failure(status, errors) for status in failures.failing(errors)},
    }
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": [SESSION_HEADER] if dialect.sessions else [],
        "requestBody": {"required": True, "content": body},
        "responses": {str(status): response for status, response in answers.items()},
    }


def _not_offered(operation: str, summary: str) -> dict[str, Any]:
    statuses = (*PLAIN_FAILURES, 413, 429, 501)
    return {
        "operationId": operation,
        "summary": f"{summary} Not offered.",
        "responses": {str(status): failures.failure(status, ANTHROPIC) for status in statuses},
    }


def _reading(operation: str, summary: str, *answers: str) -> dict[str, Any]:
    described = {200: responses.success(*answers), **{status: failures.failure(status) for status in PLAIN_FAILURES}}
    return {
        "operationId": operation,
        "summary": f"{summary} Costs nothing.",
        "responses": {str(status): response for status, response in described.items()},
    }


def _stored(operation: str, summary: str, answer: str) -> dict[str, Any]:
    described = _reading(operation, summary, answer)
    described["responses"]["503"] = failures.failure(503)
    return described


def _readiness() -> dict[str, Any]:
    operation = _reading("ready", "Whether a request would be answered.", "Readiness")
    not_ready = {**responses.success("Readiness"), "description": "It would not; `reason` says what to do."}
    operation["responses"]["503"] = not_ready
    return operation


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
