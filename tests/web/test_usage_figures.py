"""The page's figures of use: everybody's, or one key's own."""

from __future__ import annotations

import time

from app.ledger.entry import Entry
from app.web.page_feed import PAGE_FEED
from app.web.state import state

SECRET = "page-" + "s" * 30


def test_use(app, news):
    """The page is told what was used today and in 30 days, and what the plan is worth, once it has changed."""
    first = news()["usage"]
    assert [period["total"]["requests"] for period in first["periods"]] == [0, 0]
    for number in range(12):
        state(app).ledger.note(
            Entry(request="r", at=time.time(), owner=f"{number}.1", key=str(number), input_tokens=10, dollars=0.5)
        )
    while (told := news()).get("usage", first) == first:
        pass
    today = told["usage"]["periods"][0]
    assert (today["name"], today["total"]["input_tokens"], today["total"]["dollars"]) == ("Today", 120, 6.0)
    assert [part["requests"] for part in today["keys"]] == [1] * 7 + [5]
    assert today["keys"][-1]["name"] == "others"


def test_use_of_one_key(make_app):
    """A key that may not see everybody's figures sees its own, and nothing is told of the plan's worth."""
    app = make_app(CLAUDE_PROXY_API_KEYS=f"ann:{SECRET}")
    state(app).ledger.note(Entry(request="r", at=time.time(), owner="bob.1", key="bob", dollars=0.5))
    told = app.extensions[PAGE_FEED].sections("ann.1")["usage"]
    assert [period["total"].requests for period in told["periods"]] == [0, 0]
    assert (told["plan"], list(told["flat_dollars"]), told["left"]) == (None, [], [])
