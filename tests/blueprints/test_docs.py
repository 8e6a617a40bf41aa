"""The documents of this version, from the server."""

from __future__ import annotations

import html.parser

import pytest

from app import documentation

TOPICS = documentation.topics()


class Page(html.parser.HTMLParser):
    """The names of a page's tags, where its links lead, and the places that links can lead to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.places = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        found = dict(attrs)
        if "id" in found:
            self.places.add(found["id"])
        if tag == "a":
            self.links.add(found["href"])


@pytest.mark.parametrize("topic", TOPICS)
def test_from_the_server(client, topic):
    """Each document is a page under the status page's rules, and its links lead to pages and places that exist."""
    response = client.get(f"/docs/{topic}")
    assert response.content_type == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    page = Page(response.text)
    assert not page.tags & {"script", "style", "iframe"}
    assert f'<h1 id="{documentation.anchor(TOPICS[topic])}">' in response.text
    for link in page.links:
        assert link.startswith(("/", "#", "https://")), link
        path, _, place = link.partition("#")
        path = path or f"/docs/{topic}"
        answer = client.get(path) if path.startswith("/docs") else None
        assert answer is None or answer.status_code == 200, link
        assert not place or answer is None or place in Page(answer.text).places, link


def test_list(client):
    """The list names every document, and the status page leads to it."""
    assert {f"/docs/{topic}" for topic in TOPICS} <= Page(client.get("/docs").text).links
    assert "/docs" in Page(client.get("/").text).links


def test_none_of_this_name(client):
    """A document that does not exist is a 404 that names those that do."""
    response = client.get("/docs/nothing")
    assert response.status_code == 404
    assert "settings" in response.json["error"]["message"]
