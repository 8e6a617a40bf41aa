"""Lines of the service's log, as people read them."""

from __future__ import annotations

import json

import pytest

from app.console.service.log_lines import readable


def test_readable():
    """Time, level, logger and message come first, then all else, and a traceback below."""
    fields = {"ts": "2026-01-02T03:04:05+00:00", "level": "ERROR", "logger": "app", "message": "Oh.", "status": 500}
    line = readable(json.dumps({**fields, "exception": "Traceback:\n  here"}))
    assert line[19:] == " ERROR app Oh. status=500\n  Traceback:\n    here"


@pytest.mark.parametrize("line", ["", "plain words", "7", "[]", "{}", '{"ts": "never", "level": "INFO"}'])
def test_others(line):
    """A line that another program wrote stays as it is."""
    assert readable(line) == line
