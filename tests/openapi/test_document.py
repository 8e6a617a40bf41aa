"""The OpenAPI document is valid, complete and true."""

from __future__ import annotations

import json
import re

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from server import Server, events, until

import app as package
from app.config_reading import read_settings
from app.dialects import DIALECTS
from app.openapi import document, requests

# What the fake CLI cannot do: it gives neither objects nor calls.
BEYOND_THE_FAKE = {"schema_not_satisfied", "tool_choice_not_satisfied"}
SENTENCES = {"schema_not_satisfied": "schema", "tool_choice_not_satisfied": "tool"}
# Schemathesis leaves a stream after so many events, comments included.
READ_EVENTS = 19
# The last event of a stream that has no end mark.
ENDS = {"message_stop", "response.completed"}
CONFORMANCE = [status_code_conformance, content_type_conformance, response_schema_conformance]
RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
OPERATIONS = [
    ("POST", "/v1/chat/completions", RIGHT, 30),
    ("POST", "/v1/chat/completions", WRONG, 30),
    ("POST", "/v1/completions", RIGHT, 30),
    ("POST", "/v1/completions", WRONG, 30),
    ("POST", "/v1/responses", RIGHT, 30),
    ("POST", "/v1/responses", WRONG, 30),
    ("GET", "/v1/responses/{name}", RIGHT, 10),
    ("DELETE", "/v1/responses/{name}", RIGHT, 10),
    ("POST", "/v1/messages", RIGHT, 30),
    ("POST", "/v1/messages", WRONG, 30),
    ("POST", "/v1/messages/count_tokens", WRONG, 20),
    ("POST", "/api/chat", RIGHT, 30),
    ("POST", "/api/chat", WRONG, 30),
    ("POST", "/api/generate", RIGHT, 30),
    ("POST", "/api/generate", WRONG, 30),
    ("POST", "/api/show", RIGHT, 20),
    ("POST", "/api/show", WRONG, 20),
    ("GET", "/api/tags", RIGHT, 3),
    ("GET", "/api/ps", RIGHT, 3),
    ("GET", "/api/version", RIGHT, 3),
    ("GET", "/v1/models/{name}", RIGHT, 30),
    ("GET", "/v1/models", RIGHT, 3),
    ("GET", "/v1/sessions", RIGHT, 3),
    ("GET", "/v1/sessions/{name}", RIGHT, 10),
    ("DELETE", "/v1/sessions/{name}", RIGHT, 10),
    ("GET", "/v1/openapi.json", RIGHT, 3),
    ("GET", "/health", RIGHT, 3),
    ("GET", "/ready", RIGHT, 3),
]


def code(body):
    """Return the code of an error, in whosever words it is; Ollama has none, but a sentence."""
    error = body["error"]
    if isinstance(error, str):
        return next((code for code, words in SENTENCES.items() if words in error), None)
    return error["code"] if "code" in error else error.get("details", {}).get("error_code")


def test_valid():
    """The document is OpenAPI 3.1, and every reference in it leads somewhere."""
    text = document.encoded().decode()
    validate(json.loads(text))
    for target in re.findall(r'"\$ref":"#/components/(\w+)/(\w+)"', text):
        assert target[1] in json.loads(text)["components"][target[0]]


def test_every_route(monkeypatch: pytest.MonkeyPatch):
    """Every route of the application is in the document with its methods, and no other is."""
    monkeypatch.setattr(package.logs, "init", lambda *given: None)
    flask_app = package.create_app(read_settings({}))
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in flask_app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    paths = document.document()["paths"]
    assert {(path, method) for path, item in paths.items() for method in item} == routes


def test_unique_operation_ids():
    """No two operations share an id."""
    ids = [op["operationId"] for item in document.document()["paths"].values() for op in item.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("operation", [dialect.operation for dialect in DIALECTS], ids=lambda operation: operation.id)
def test_request_schemas(operation):
    """The schemas name exactly the fields that are looked at, and let others through."""
    schema = requests.schemas(DIALECTS)[operation.request.__name__]
    assert set(schema["properties"]) == set(operation.request.__struct_fields__)
    assert set(operation.filled) <= set(schema["properties"])
    assert schema["additionalProperties"] is True


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("method", "path", "mode", "examples"), OPERATIONS)
def test_any_request(fake_server: Server, method, path, mode, examples):
    """Whatever is sent, the answer is one that the document foretells, and nothing is left behind."""
    schema = schemathesis.openapi.from_dict(document.document())
    operation = schema[path][method]

    @hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode), st.booleans())
    def run(case, stream):
        if method == "POST" and isinstance(case.body, dict) and mode is RIGHT:
            case.body["stream"] = stream
        response = case.call(base_url=fake_server.url, timeout=30)
        case.validate_response(response, checks=CONFORMANCE)
        if response.headers["content-type"] == ["text/event-stream; charset=utf-8"]:
            found = events(response.content)
            cut = len(found) >= READ_EVENTS
            assert cut or found[-1] == "[DONE]" or found[-1].get("type") in ENDS or code(found[-1]) in BEYOND_THE_FAKE
        if response.status_code >= 500 and code(response.json()) not in BEYOND_THE_FAKE:
            case.validate_response(response, checks=[not_a_server_error])

    run()
    until(fake_server.is_whole, 20, "idle")
