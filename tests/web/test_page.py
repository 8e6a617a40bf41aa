"""The status page as the server makes it: what is on it, behind which key, and what it is told while it is open."""

from __future__ import annotations

import base64
import json
import threading

import pytest

from app.errors import QueueFull
from app.web.page_feed import MAX_PAGES, PAGE_FEED, PageFeed
from app.web.state import state

SECRET = "page-" + "s" * 30
PATHS = ("/", "/page.js", "/page.css", "/events")


@pytest.fixture
def news(app):
    """Give the news of the application: a function that returns what is told next."""
    gone = threading.Event()
    told = app.extensions[PAGE_FEED].news(gone, None)

    def following():
        for data in told:
            if data.startswith(b"data: "):
                return json.loads(data[6:])
        return None

    yield following
    gone.set()
    told.close()


def basic(secret, user="anybody"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def test_page(client):
    """Without its script the page says whether the server is ready, and how to configure each client for it."""
    response = client.get("/", headers={"Host": "localhost:4567"})
    assert response.content_type == "text/html; charset=utf-8"
    assert '<strong id="verdict" class="good">Ready</strong>' in response.text
    assert "http://localhost:4567/v1" in response.text
    for name in ("openclaw", "continue", "openai", "aider", "open-webui", "librechat", "cline", "llm"):
        assert f"<summary>{name}</summary>" in response.text
    assert "YOUR-KEY" not in response.text


def test_not_ready(client, app):
    """A server that cannot answer says why on the page, and what to do."""
    state(app).backend.supply.login.failed()
    text = client.get("/").text
    assert '<strong id="verdict" class="bad">Not ready</strong>' in text
    assert "auth login`" in text


@pytest.mark.parametrize("path", PATHS)
def test_headers(client, path):
    """Each part comes with a policy that lets in nothing but the page's own files, and no frame."""
    with client.get(path, headers={"Host": "localhost"}) as response:
        policy = response.headers["Content-Security-Policy"]
        assert response.status_code == 200
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_inline(client):
    """There is no script, style or handler in the page that its policy would have to make an exception for."""
    text = client.get("/").text
    assert "<style" not in text
    assert " style=" not in text
    assert " on" not in "".join(part.split(">")[0] for part in text.split("<")[1:] if not part.startswith("option"))
    assert text.count("<script") == 1
    assert "http" not in "".join(part.split(">")[0] for part in text.split("<")[1:])


@pytest.mark.parametrize("host", ['localhost"><b>', "a@localhost", "localhost'x"])
def test_host_is_escaped(client, host):
    """What a Host header holds cannot become markup, nor an address to paste."""
    response = client.get("/", headers={"Host": host})
    assert response.status_code in {200, 400, 403}
    if response.status_code == 200:
        assert "<b>" not in response.text
        assert "@localhost" not in response.text
        assert "http://127.0.0.1:3456/v1" in response.text


@pytest.mark.parametrize("path", PATHS)
def test_key(make_app, path):
    """With keys a browser is asked for one as a password; the right one opens the page, another does not."""
    client = make_app(CLAUDE_PROXY_API_KEYS=f"laptop:{SECRET}").test_client()
    for headers in ({}, basic("wrong"), basic("", SECRET), {"Authorization": "Basic nonsense"}):
        response = client.get(path, headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith('Basic realm="')
        assert SECRET not in response.text
    with client.get(path, headers=basic(SECRET)) as response:
        assert response.status_code == 200
    assert client.get("/v1/models").headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/v1/models", headers=basic(SECRET)).status_code == 200
    assert client.post("/v1/chat/completions", headers=basic(SECRET) | {"Origin": "http://evil"}).status_code == 403


def test_keys_are_not_shown(make_app):
    """The page behind a key tells where to put one, and shows none."""
    client = make_app(CLAUDE_PROXY_API_KEYS=f"laptop:{SECRET}").test_client()
    text = client.get("/", headers=basic(SECRET)).text
    assert "YOUR-KEY" in text
    assert SECRET not in text


def test_news(news, ask):
    """First comes everything, then only what has changed; no content is in it."""
    first = news()
    assert set(first) == {"now", "state", "plan", "minutes", "turns"}
    assert first["state"]["reason"] is None
    assert first["turns"] == []
    ask("answer SECRET").close()
    second = news()
    assert set(second) >= {"now", "minutes", "turns"}
    assert "plan" not in second
    (turn,) = second["turns"]
    assert (turn["status"], turn["served"], turn["output_tokens"], turn["key"]) == (200, "cold", 2, None)
    assert "SECRET" not in str(second)


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


def test_bounded(app):
    """So many pages may be open; one more is refused until another is closed."""
    feed = PageFeed(state(app))
    pages = [feed.page() for _ in range(MAX_PAGES)]
    for page in pages:
        page.__enter__()
    with pytest.raises(QueueFull), feed.page():
        pass
    pages[0].__exit__(None, None, None)
    with feed.page():
        pass
