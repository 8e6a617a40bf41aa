"""claude-max-api config: commands for the server's file beside the names of clients."""

from __future__ import annotations


def test_clients_beside(console):
    """A client's name is no command, and its options may stand before it, as they always could."""
    printed = console("config", "openai", "--url", "http://x").stdout
    assert console("config", "--url", "http://x", "openai").stdout == printed != ""
    assert "did you mean openclaw?" in console("config", "openclow").stderr
