"""Whatever one request asks for, the others are answered meanwhile; each row once silenced the server."""

from __future__ import annotations

import json

import pytest
from conftest import FAKE_CLAUDE

from tests.attack.attacks import ATTACKS, CHAT, HI, MESSAGES, RESPONSES, chat, doubled, form, function, properties
from tests.attack.pulse import Pulse

# The CPU time, in seconds, that the worker may take while somebody waits for an answer: what a busy machine does to the
# clock is no fault of the server's, and a fault takes seconds.
MOST_HELD = 0.5
# Whatever the machine does, in seconds.
LONGEST = 15.0
# The stream may have begun before its turn fails.
FLOODED = {"200", "502", "504"}
ROWS = {
    "one tool of 250,000 properties": {"400"},
    "128 tools of 2,000 properties": {"400"},
    "265 tools of 500 properties": {"200"},
    "response_format with a pattern of 8 MB": {"400"},
    "response_format with 20,000 patterns": {"400"},
    "an answer that a pattern tries for ever": {"200"},
    "references that double 17 times, response_format": {"400"},
    "references that double 30 times, 100 tools": {"400"},
    "a million messages": {"400"},
    "metadata of ten million lists": {"400"},
    "a system prompt of ten million newlines": {"400"},
    "16 stops of 1.5 MB": {"400"},
    "an id of 30 MB": {"400"},
    "a CLI that floods: blank": FLOODED,
    "a CLI that floods: unknown-lines": FLOODED,
}


@pytest.fixture(scope="module")
def attacked(session_serve):
    """A server that soon ends a turn of a CLI that says nothing."""
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_KEEP="0", CLAUDE_PROXY_TIMEOUT="5")
    yield server
    server.kill()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ROWS)
def test_others_are_answered(attacked, name):
    """The request is refused, or served; `/health` answers all the while."""
    pulse = Pulse(attacked)
    try:
        outcome = ATTACKS[name](attacked)
        silence, held = pulse.silence, pulse.held
    finally:
        pulse.close()
    assert set(outcome) <= ROWS[name]
    assert held < MOST_HELD
    assert silence < LONGEST


FUNCTION, FORM = "tools[0].function.parameters", "response_format.json_schema.schema"
TOO_MUCH = {
    "messages": (CHAT, chat(*[HI] * 20_001), "messages"),
    "input": (RESPONSES, {"model": "sonnet", "input": [HI] * 20_001}, "input"),
    "properties": (CHAT, chat(tools=[function(properties(20_001))]), FUNCTION),
    "references of a tool": (CHAT, chat(tools=[function(doubled(17))]), FUNCTION),
    "references of a form": (CHAT, chat(response_format=form(doubled(17))), FORM),
    "pattern": (CHAT, chat(response_format=form({"properties": {"a": {"pattern": "a" * 8_000_000}}})), FORM),
    "metadata": (CHAT, chat(metadata=[[]] * 500_001), "metadata"),
    "system": (MESSAGES, {"model": "sonnet", "max_tokens": 9, "system": "\n" * 6_000_001, "messages": [HI]}, "system"),
    "newlines": (CHAT, chat({"role": "system", "content": "\n" * 10_000_000}, HI), "messages"),
    "backslashes": (CHAT, chat({"role": "user", "content": "\\" * 6_000_001}, tools=[{}] * 10), "messages"),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_field_is_named(attacked, name):
    """Whoever asks for too much learns where it is."""
    path, body, field = TOO_MUCH[name]
    status, _, data = attacked.request("POST", path, body, timeout=60)
    error = json.loads(data)["error"]
    assert status == 400
    assert error["message"].startswith(f"{field} ")
    assert error.get("param", field) == field
