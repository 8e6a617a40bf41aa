"""What people at a browser get instead of an error's JSON."""

from __future__ import annotations

import base64

SECRET = "page-" + "s" * 30
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
WRONG = {"Authorization": "Basic " + base64.b64encode(b"anybody:wrong").decode()}


def test_page_without_a_key(make_app):
    """A person without a key gets a page that says what to do, and a program its JSON; the page's style is there."""
    client = make_app(CLAUDE_PROXY_API_KEYS=f"laptop:{SECRET}").test_client()
    for path in ("/", "/docs", "/nowhere"):
        told = client.get(path, headers=BROWSER)
        assert (told.status_code, told.mimetype) == (401, "text/html")
        assert "<h1>A key is needed</h1>" in told.text
        assert "claude-max-api key add NAME" in told.text
        assert "default-src 'none'" in told.headers["Content-Security-Policy"]
        assert client.get(path).json["error"]["code"] == "invalid_api_key"
    assert "<h1>Not the right key</h1>" in client.get("/", headers=BROWSER | WRONG).text
    assert client.get("/page/page.css").status_code == 200
    assert client.get("/v1/models", headers=BROWSER).mimetype == "application/json"


def test_other_errors_are_pages(client):
    """A person who went wrong reads a sentence, in whose text markup stays text."""
    told = client.get("/docs/<b>", headers=BROWSER)
    assert (told.status_code, told.mimetype) == (404, "text/html")
    assert "<h1>Not found</h1>" in told.text
    assert "<b>" not in told.text
    assert "not allowed" in client.get("/", headers=BROWSER | {"Host": "evil.example"}).text
