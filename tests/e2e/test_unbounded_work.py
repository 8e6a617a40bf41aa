"""Whatever one request asks for, the others are answered meanwhile; each row once silenced the server."""

from __future__ import annotations

import pytest

from tests.attack.attacks import ATTACKS
from tests.attack.pulse import Pulse

# 250 ms on a quiet machine; those that run tests are often busy.
LONGEST = 1.0
ROWS = {
    "one tool of 250,000 properties": {"400"},
    "128 tools of 2,000 properties": {"400"},
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
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ROWS)
def test_others_are_answered(fake_server, name):
    """The request is refused, or served; `/health` answers all the while."""
    pulse = Pulse(fake_server.port)
    try:
        outcome = ATTACKS[name](fake_server)
        silence = pulse.silence
    finally:
        pulse.close()
    assert set(outcome) == ROWS[name]
    assert silence < LONGEST
