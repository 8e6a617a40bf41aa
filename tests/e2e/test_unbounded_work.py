"""Whatever one request asks for, the others are answered meanwhile; each row once silenced the server."""

from __future__ import annotations

import pytest
from conftest import FAKE_CLAUDE

from tests.attack.attacks import ATTACKS
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
