"""Names of variables that were meant for settings."""

from __future__ import annotations

import pytest

from app.console.misspelt import find_misspelt


@pytest.mark.parametrize(
    ("name", "meant"),
    [("CLAUDE_PROXY_PORT", "PORT"), ("CLAUDE_PROXY_HOST", "HOST"), ("CLAUDE_PROXY_TIMOUT", "CLAUDE_PROXY_TIMEOUT")],
)
def test_misspelt(name, meant):
    """A variable that looks like a setting is told from the one that was meant."""
    assert find_misspelt({name: "1"}) == {name: f"no such setting: {name} (did you mean {meant}?)"}
