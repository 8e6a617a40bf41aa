"""`open` shows the page in a browser."""

from __future__ import annotations

import click


def test_open(console, linux, answering, monkeypatch):
    """`open` opens the page of the server that runs, and without one says how to run it."""
    opened = []
    monkeypatch.setattr(click, "launch", opened.append)
    port = answering().port
    assert console("open", str(port), machine=linux).exit_code == 0
    assert opened == [f"http://127.0.0.1:{port}"]
    assert console("open", "-p", str(port), machine=linux).exit_code == 0
    assert opened == [f"http://127.0.0.1:{port}"] * 2
    result = console("open", machine=linux)
    assert result.exit_code == 1
    assert "claude-max-api serve" in result.stderr
