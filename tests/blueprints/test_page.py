"""The page as the server makes it: what is on it, and behind which key."""

from __future__ import annotations

import base64
import html
import re

import pytest

from app.client_configs import CLIENTS, NAMES
from app.web import pages
from app.web.state import state

SECRET = "page-" + "s" * 30
PATHS = ("/", "/page/page.js", "/page/page.css", "/events")
CLOSED = ("/", "/events", "/docs")


def basic(secret, user="anybody"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def test_page(client):
    """Without its script the page says whether the server is ready, and how to configure each client for it."""
    response = client.get("/", headers={"Host": "localhost:4567"})
    assert response.content_type == "text/html; charset=utf-8"
    assert '<h1 id="verdict">Ready</h1>' in response.text
    assert '<p id="running">0 running · just started</p>' in response.text
    assert '<code id="base-url">http://localhost:4567/v1</code>' in response.text
    assert set(NAMES) == set(CLIENTS)
    for name in NAMES.values():
        assert f'<span class="client">{name}</span>' in html.unescape(response.text)
    copied = re.findall(r"<pre[^>]*>(.*?)</pre>", response.text, re.DOTALL)
    assert len(copied) == len(CLIENTS)
    assert not any(re.search(r"^\s*(#|//)", text, re.MULTILINE) for text in copied)
    assert "YOUR-KEY" not in response.text


def test_not_ready(client, app):
    """A server that cannot answer says why on the page, and what to do."""
    state(app).backend.processes.login.failed()
    text = client.get("/").text
    assert '<h1 id="verdict">Not ready</h1>' in text
    assert '<div id="login" class="tip bad">' in text
    assert '<code id="login-command">claude-max-api login</code>' in text


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


def test_files(client):
    """Each file that the page asks for is there, under its kind, and is not sent twice; no other is."""
    text = client.get("/").text
    names = set(re.findall(r'(?:href|src)="/page/([^"]+)"', text))
    assert {"page.css", "page.js", "chat.js"} <= names
    for name in names | {"markdown.js", "marked.js", "purify.js"}:
        first = client.get(f"/page/{name}")
        assert first.mimetype == ("text/css" if name.endswith(".css") else "text/javascript")
        for module in re.findall(r'(?:from|import) ?\(?"\./([^"]+)"', first.text):
            assert client.get(f"/page/{module}").status_code == 200
        assert client.get(f"/page/{name}", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert client.get("/page/page.html").status_code == 404


def test_licences():
    """What was taken from others has its licence beside it."""
    names = {path.name for path in (pages.FOLDER / "vendor").iterdir()}
    assert {f"{name.removesuffix('.js')}.LICENSE.txt" for name in names if name.endswith(".js")} <= names


@pytest.mark.parametrize("path", CLOSED)
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
