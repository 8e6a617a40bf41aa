"""The form of an answer: every library's schema is offered whole, and what comes satisfies it, with the real CLI."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from schemas import SCHEMAS
from server import Server

from app.standin import Reply, StandIn, ToolUse

ROUTES = ["/v1/chat/completions", "/v1/responses", "/v1/messages"]


def asked(server: Server, route: str, schema: dict[str, Any], **fields: Any) -> tuple[int, Any]:
    """Ask for an answer of a form; return its status, and the object or the error."""
    form = {"name": "answer", "schema": schema}
    said: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
    if route == "/v1/chat/completions":
        said["response_format"] = {"type": "json_schema", "json_schema": form}
    elif route == "/v1/responses":
        said = {"input": "Hi", "text": {"format": {"type": "json_schema", **form}}}
    else:
        said |= {"max_tokens": 9_000, "output_config": {"format": {"type": "json_schema", "schema": schema}}}
    status, _, data = server.request("POST", route, {"model": "sonnet", **said, **fields})
    answer = json.loads(data)
    if status != 200:
        return status, answer["error"]
    if route == "/v1/chat/completions":
        return status, json.loads(answer["choices"][0]["message"]["content"])
    if route == "/v1/responses":
        return status, json.loads(answer["output"][-1]["content"][0]["text"])
    return status, json.loads(answer["content"][-1]["text"])


def native(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as the model gives it: with the names it was shown."""
    (form,) = (tool["input_schema"] for tool in body["tools"] if tool["name"] == "StructuredOutput")
    shown = {part["title"]: name for name, part in form.get("properties", {}).items() if "title" in part}
    names = {"first name": "first_name", **shown}
    return {names.get(key, key): value for key, value in answer.items()}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_library_schema(server: Server, standin: StandIn, name: str) -> None:
    """The model sees the schema; an answer that does not fit goes back to it once, one that fits is the client's."""
    schema, fits, misfit = SCHEMAS[name]
    answers = [misfit, fits]
    standin.reply = lambda body: Reply((ToolUse("StructuredOutput", native(body, answers[len(standin.messages) - 1])),))
    assert asked(server, ROUTES[0], schema) == (200, fits)
    assert len(standin.messages) == 2
    (form,) = (tool["input_schema"] for tool in standin.messages[0]["tools"])
    same = {word: value for word, value in schema.items() if word not in ("properties", "required")}
    assert {word: value for word, value in form.items() if word not in ("properties", "required")} == {
        "type": "object",
        **same,
    }


A = {"type": "object", "properties": {"a": {"type": "string"}}}
DRAFTS = ["https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema"]
DRAFTS += ["http://json-schema.org/draft-06/schema#", "http://json-schema.org/draft-04/schema#"]
DRAFTS += ["https://json-schema.org/draft-07/schema"]
# Each alone made Claude Code offer the model no form.
WORDS: list[dict[str, Any]] = [
    *({"$schema": draft} for draft in DRAFTS),
    {"id": "https://example.com/a"},
    {"$anchor": "a"},
    {"properties": {"a": {"prefixItems": [{"type": "string"}]}}},
    {"unevaluatedProperties": False},
    {"dependentRequired": {"b": ["a"]}},
    {"properties": {"a": {"type": ["string", "array"], "contains": {}, "minContains": 2}}},
    {"example": {"a": "b"}},
    {"x-foo": 1},
    {"discriminator": {"propertyName": "a"}},
    {"propertyOrdering": ["a"]},
    {"properties": {"a": {"nullable": True}}},
    *({"properties": {"a": {"pattern": pattern}}} for pattern in ("(?i)^B$", "^(?P<n>b)$", r"^\p{L}$")),
]


@pytest.mark.parametrize("words", WORDS, ids=json.dumps)
def test_every_word(server: Server, standin: StandIn, words: dict[str, Any]) -> None:
    """No word of a schema keeps the form from the model: one request, and the answer is the client's."""
    standin.reply = lambda _: Reply((ToolUse("StructuredOutput", {"a": "b"}),))
    assert asked(server, ROUTES[0], {**A, **words}) == (200, {"a": "b"})
    (body,) = standin.messages
    (form,) = (tool["input_schema"] for tool in body["tools"] if tool["name"] == "StructuredOutput")
    assert form == {**A, **words}


@pytest.mark.parametrize("route", ROUTES)
def test_every_route(server: Server, standin: StandIn, route: str) -> None:
    """On each route the model gets one chance to mend its answer; then it is an error that says where."""
    schema, fits, misfit = SCHEMAS["openai strict"]
    standin.reply = lambda body: Reply((ToolUse("StructuredOutput", native(body, fits)),))
    assert asked(server, route, schema) == (200, fits)
    standin.reply = lambda body: Reply((ToolUse("StructuredOutput", native(body, misfit)),))
    status, error = asked(server, route, schema)
    assert status == 502
    assert "$.letters" in error["message"]
    assert len(standin.messages) == 3


def test_alternatives_at_the_top(server: Server, standin: StandIn) -> None:
    """A union of objects, which the API takes for no input, is served too, and checked as the union it is."""
    schema = {
        "anyOf": [
            {
                "type": "object",
                "properties": {"ok": {"const": True}, "text": {"type": "string"}},
                "required": ["ok", "text"],
            },
            {
                "type": "object",
                "properties": {"ok": {"const": False}, "why": {"type": "string"}},
                "required": ["ok", "why"],
            },
        ]
    }
    answers = [{"ok": False, "text": "a"}, {"ok": False, "why": "b"}]
    standin.reply = lambda _: Reply((ToolUse("StructuredOutput", answers[len(standin.messages) - 1]),))
    assert asked(server, ROUTES[0], schema) == (200, answers[1])


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#/$defs/none"}}},
        {"properties": {"a": {"pattern": "(unclosed"}}},
        {"properties": {"a": {"type": "STRING"}}},
        {"properties": {"a": {"exclusiveMinimum": True}}},
    ],
)
def test_what_cannot_be_served(server: Server, standin: StandIn, schema: dict[str, Any]) -> None:
    """A schema that is none is a 400 that names the field, and nothing is asked."""
    status, error = asked(server, ROUTES[0], schema)
    assert (status, error["param"]) == (400, "response_format.json_schema.schema")
    assert re.search(r"properties[./]a|/\$defs/none", error["message"])
    assert standin.messages == []
