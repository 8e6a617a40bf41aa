"""`models` lists what the server has, or what the CLI has where no server runs."""

from __future__ import annotations

import json

LIST = {
    "object": "list",
    "data": [
        {"id": "claude-sonnet-4", "object": "model"},
        {"id": "claude-opus-5-5", "object": "model", "name": "Opus", "description": "For hard tasks"},
    ],
}


def test_models_of_the_server(ask, answering):
    """The running server's list is shown, with what it says of each model."""
    port = str(answering({"/v1/models": (200, LIST)}).port)
    result = ask("models", port)
    assert result.stdout.splitlines() == ["claude-sonnet-4", "claude-opus-5-5  Opus - For hard tasks"]
    assert f"the server at http://127.0.0.1:{port}" in result.stderr
    assert json.loads(ask("models", "--json", port).stdout) == LIST


def test_models_of_the_cli(console, linux, claude, standin):
    """Where no server runs, the CLI is started and asked, without any API request."""
    result = console("models", "--json", machine=linux, CLAUDE_BIN=str(claude), ANTHROPIC_BASE_URL=standin.url)
    names = [entry["id"] for entry in json.loads(result.stdout)["data"]]
    assert {"claude-opus-4", "claude-sonnet-4", "claude-haiku-4"} < set(names)
    assert standin.messages == []


def test_models_of_nobody(ask):
    """Where there is no CLI either, one hears what to do."""
    result = ask("models", CLAUDE_BIN="/no/such/claude")
    assert result.exit_code == 1
    assert "CLAUDE_BIN=/no/such/claude is not an executable" in result.output
    assert "claude-max-api doctor" in result.output
