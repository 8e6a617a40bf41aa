"""The OpenAPI document, from the server."""

from __future__ import annotations

import json

from server import Server

SENTENCES = {"schema_not_satisfied": "schema", "tool_choice_not_satisfied": "tool"}


def code(body):
    """Return the code of an error, in whosever words it is; Ollama has none, but a sentence."""
    error = body["error"]
    if isinstance(error, str):
        return next((code for code, words in SENTENCES.items() if words in error), None)
    return error["code"] if "code" in error else error.get("details", {}).get("error_code")


def test_served(fake_server: Server):
    """It is served with and without /v1, to programs here and to no foreign page."""
    status, headers, body = fake_server.request("GET", "/v1/openapi.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["openapi"].startswith("3.1")
    assert fake_server.request("GET", "/openapi.json")[2] == body
    assert fake_server.request("GET", "/openapi.json", headers={"Host": "evil.example"})[0] == 403
    assert fake_server.request("GET", "/openapi.json", headers={"Origin": "http://evil.example"})[0] == 403
