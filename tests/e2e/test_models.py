"""What the model list tells, and what a model's name becomes on its way to the API, with the real CLI."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from server import Server

from app.standin import StandIn

VERSION = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("claude-4.5-haiku-thinking", "claude-haiku-4-5"),
        ("us.anthropic.claude-opus-4-6-v1:0", "claude-opus-4-6"),
        ("claude-nobody-9", "claude-nobody-9"),
    ],
)
def test_spellings(server: Server, standin: StandIn, name: str, model: str) -> None:
    """The API is asked for the model that a client means, whatever way it writes the name."""
    assert server.chat("Hi", model=name)[0] == 200
    assert standin.messages[-1]["model"].startswith(model)


def test_limits(serve: Callable[..., Server]) -> None:
    """A model's limits are told once the CLI has told them, which a turn's own `max_tokens` does not change."""
    server = serve()
    server.wait_for_spare()

    def entry(headers: dict[str, str] | None = None) -> dict[str, Any]:
        return json.loads(server.request("GET", "/v1/models/claude-sonnet-4", headers=headers)[2])

    assert not {"context_length", "max_model_len", "max_completion_tokens", "top_provider"} & set(entry())
    assert not {"max_input_tokens", "max_tokens"} & set(entry(VERSION))
    assert server.chat("Hi", max_tokens=50)[0] == 200
    told = entry()
    assert told["context_length"] == told["max_model_len"] >= 200_000
    assert told["max_completion_tokens"] >= 8_000
    assert told["top_provider"]["context_length"] == told["context_length"]
    theirs = entry(VERSION)
    assert (theirs["max_input_tokens"], theirs["max_tokens"]) == (
        told["context_length"],
        told["max_completion_tokens"],
    )
    others = [model for model in server.get("/v1/models")[1]["data"] if model["id"] == "claude-haiku-4"]
    assert "context_length" not in others[0]
