"""The documents of this version, on a terminal and from the server."""

from __future__ import annotations

import html.parser
import re

import pytest
from click.testing import CliRunner

from app import documentation
from app.console import main

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
    assert not page.tags & {"script", "style", "img", "iframe"}
    assert f'<h1 id="{documentation.anchor(TOPICS[topic])}">' in response.text
    for link in page.links:
        assert link.startswith(("/", "#", "https://")), link
        path, _, place = link.partition("#")
        path = path or f"/docs/{topic}"
        answer = client.get(path) if path.startswith("/docs") else None
        assert answer is None or answer.status_code == 200, link
        assert not place or answer is None or place in Page(answer.text).places, link


def test_tables_are_tables():
    """A table becomes one, and the marks around it are left out."""
    text = documentation.render("settings")
    assert "<table>" in text
    assert "settings --" not in text


def test_markup_stays_text(monkeypatch, tmp_path):
    """Markup in a document is shown, not obeyed."""
    (tmp_path / "x.md").write_text("# X\n\n<script>alert(1)</script> [a](javascript:alert(1))\n")
    monkeypatch.setattr(documentation, "FOLDER", tmp_path)
    text = documentation.render("x")
    assert "<script>" not in text
    assert "href" not in text


def test_list(client):
    """The list names every document, and the status page leads to it."""
    assert {f"/docs/{topic}" for topic in TOPICS} <= Page(client.get("/docs").text).links
    assert "/docs" in Page(client.get("/").text).links


def test_none_of_this_name(client):
    """A document that does not exist is a 404 that names those that do."""
    response = client.get("/docs/nothing")
    assert response.status_code == 404
    assert "settings" in response.json["error"]["message"]


def test_on_a_terminal():
    """The command lists the documents and prints each as it was written."""
    shown = CliRunner().invoke(main, ["docs"])
    assert shown.exit_code == 0
    assert all(
        re.search(rf"^{topic} +{re.escape(title)}$", shown.output, re.MULTILINE) for topic, title in TOPICS.items()
    )
    assert documentation.read("security") in CliRunner().invoke(main, ["docs", "security"]).output
    assert CliRunner().invoke(main, ["docs", "nothing"]).exit_code == 2
