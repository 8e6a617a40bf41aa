"""The words in which the page tells how the server is."""

from __future__ import annotations

import time

import pytest

from app.web import page_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(70, "1 min"), (3599, "59 min"), (3 * 3600 + 1, "3 h"), (47 * 3600, "47 h"), (3 * 86400, "3 days")],
)
def test_span(seconds, words):
    """A span has one unit, the one that people would take."""
    assert page_words.span(seconds) == words


def test_running():
    """It says what runs, what waits if anything does, and for how long."""
    told = {"slots": {"running": 2, "waiting": 0}, "uptime_s": 10_900.0}
    assert page_words.running(told) == "2 running · up 3 h"
    full = {"slots": {"running": 8, "waiting": 3}, "uptime_s": 5}
    assert page_words.running(full) == "8 running · 3 waiting · just started"


@pytest.mark.parametrize(
    ("paid_by", "plan", "words"),
    [
        ("plan", "max", "Paid by your Max plan"),
        ("plan", None, "Paid by your plan"),
        ("api key", None, "Billed to an API key, not to a plan"),
        ("Bedrock", None, "Billed by Bedrock"),
        ("nobody", None, "Nobody pays: this is a demo"),
    ],
)
def test_payer(paid_by, plan, words):
    """Who pays is a sentence, whoever it is."""
    assert page_words.payer({"paid_by": paid_by}, {"plan": {"name": plan}}) == words


def test_last_error():
    """The last error goes when it is old, and an icon that a browser looks for is none."""
    icon = {"at": time.time(), "method": "GET", "route": "unmatched", "code": "not_found"}
    new = {"at": time.time() - 10, "method": "POST", "route": "/v1/messages", "code": "overloaded"}
    assert page_words.last_error({"last_errors": [icon, new]}) == new
    assert page_words.last_error({"last_errors": [icon, {**new, "at": time.time() - 4000}]}) is None
