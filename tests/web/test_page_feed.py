"""What an open page is told, and how many may be open."""

from __future__ import annotations

import contextlib
import json
import threading
import time

import pytest

from app.backend import Extra
from app.claude.cli.extra_usage import ExtraUsageFile
from app.errors import QueueFull
from app.hosts import Host, Presence, Seen, Sight
from app.keys.file import KeyFile
from app.web import page_feed
from app.web.page_feed import MAX_PAGES, MAX_PAGES_OF_KEY, MAX_PAGES_OF_KEYS, PAGE_FEED, PageFeed
from app.web.readiness import Verdicts
from app.web.state import state


def test_news(news, ask):
    """First comes everything, then only what has changed; no content is in it."""
    first = news()
    assert set(first) == {"now", "state", "plan", "usage", "budgets", "charts", "turns", "hosts"}
    assert (first["state"]["ready"], first["state"]["reason"]) == (True, None)
    assert first["turns"] == []
    ask("answer SECRET").close()
    second = news()
    assert set(second) >= {"now", "turns"}
    assert "plan" not in second
    (turn,) = second["turns"]
    assert (turn["status"], turn["served"], turn["output_tokens"], turn["key"]) == (200, "cold", 2, None)
    assert (turn["asked"], turn["route"], turn["stop"]) == ("sonnet", "/v1/chat/completions", "end_turn")
    assert "SECRET" not in str(second)
    while "charts" not in second:
        second = news()
    assert second["charts"][0]["bars"][-1]["requests"] == 1


def test_sign_of_life(app, monkeypatch):
    """A page hears something every few seconds, so that it can tell a server that is gone from one that rests."""
    monkeypatch.setattr(page_feed, "HEARTBEAT_SECONDS", 0)
    gone = threading.Event()
    told = app.extensions[PAGE_FEED].news(gone, None)
    _, *said = [next(told) for _ in range(7)]
    gone.set()
    told.close()
    # Time alone may move the charts.
    parts = [set(json.loads(data[6:])) for data in said]
    assert all("now" in names for names in parts)
    assert {"now"} in parts


def test_running(news, ask):
    """A turn is told as running while it runs."""
    news()
    response = ask("answer", stream=True)
    assert news()["turns"][0]["running"] is True
    assert response.data
    response.close()
    assert news()["turns"][0]["running"] is False


def test_news_end_with_the_server(app, news):
    """When the server stops the news end, so that an open page does not hold it up."""
    news()
    state(app).backend.draining = True
    assert news() is None


@pytest.mark.parametrize("how", ["revoked", "expired", "first"])
def test_news_end_with_the_key(make_app, tmp_path, how):
    """Who could not open the page any longer is told nothing more on one that is open."""
    (tmp_path / "state").mkdir(mode=0o700, exist_ok=True)
    keys = KeyFile(tmp_path / "state")
    headers = {} if how == "first" else {"Authorization": f"Bearer {keys.add('boss')}"}
    app = make_app(CLAUDE_PROXY_STATE_DIR=str(keys.path.parent), CLAUDE_PROXY_ADMIN_KEYS="boss")
    with app.test_client().get("/events", headers=headers) as response:
        told = iter(response.response)
        assert [next(told)[:5] for _ in range(2)] == [b"retry", b"data:"]
        if how == "revoked":
            keys.revoke("boss")
        elif how == "expired":
            keys.change("boss", {"expires": int(time.time()) - 1})
        else:
            keys.add("boss")
        assert list(told) == []


def test_bounded(app):
    """So many pages may be open; one more is refused until another is closed."""
    feed = app.extensions[PAGE_FEED]
    pages = [feed.page() for _ in range(MAX_PAGES)]
    for page in pages:
        page.__enter__()
    with pytest.raises(QueueFull), feed.page():
        pass
    pages[0].__exit__(None, None, None)
    with feed.page():
        pass


def test_extra_usage_without_an_end(app):
    """The page is there whatever the API told of the end of extra usage."""
    known = {("five_hour", "all"): Extra("five_hour", "all", time.time(), 1e20)}
    ExtraUsageFile(state(app).settings.state_dir).write(known)
    page = app.test_client().get("/", headers={"Host": "localhost"})
    assert (page.status_code, b"until a time that no calendar has" in page.data) == (200, True)


def test_places_of_a_key(app):
    """One key takes no other's places, and all of them together not those of who sees everything."""
    feed = app.extensions[PAGE_FEED]

    def most(owner, view):
        count = 0
        with contextlib.ExitStack() as more, contextlib.suppress(QueueFull):
            while True:
                more.enter_context(feed.page(owner, view))
                count += 1
        return count

    with contextlib.ExitStack() as pages:
        assert most("ann.1", "ann.1") == most("boss.1", None) == MAX_PAGES_OF_KEY
        for _ in range(MAX_PAGES_OF_KEY):
            pages.enter_context(feed.page("ann.1", "ann.1"))
        assert most("bob.1", "bob.1") == MAX_PAGES_OF_KEYS - MAX_PAGES_OF_KEY
        for _ in range(MAX_PAGES_OF_KEYS - MAX_PAGES_OF_KEY):
            pages.enter_context(feed.page("bob.1", "bob.1"))
        assert most("eve.1", "eve.1") == 0
        assert most("boss.1", None) == most("", None) == MAX_PAGES - MAX_PAGES_OF_KEYS
    assert most("", None) == MAX_PAGES


def test_hosts(app):
    """Where there are several, who may see everything sees them all; a database that is away is told of."""
    presence = Presence(None)
    feed = PageFeed(state(app), Verdicts(state(app)), presence)

    def told(view=None):
        return feed.sections(view)["hosts"]

    def seen(name, ago):
        return Seen(Host(name=name, port=3456, worker=1, version="1"), 1e9, ago)

    assert told() == {"hosts": [], "as_of": None}
    presence.sight = Sight((seen("alpha", 0),), time.time())
    assert told()["hosts"] == []
    presence.sight = Sight((seen("alpha", 0), seen("beta", 100)), time.time())
    assert [(host["name"], host["state"], host["seen_at"]) for host in told()["hosts"]] == [
        ("alpha:3456", "ready", None), ("beta:3456", "gone", 1e9),
    ]  # fmt: skip
    assert told("ann.1")["hosts"] == []
    presence.sight = Sight(presence.sight.hosts, 1e9)
    assert told()["as_of"] == 1e9
