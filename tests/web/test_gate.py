"""Programs on this machine may call, web pages and other machines may not."""

from __future__ import annotations

import flask
import pytest

from app.config import Settings
from app.errors import ProxyError
from app.web import error_responses
from app.web.gate import Gate


@pytest.fixture
def status(tmp_path):
    """Give a function that sends a request through the gate and returns the status and the error's code."""

    def get(environ, path="/", **settings):
        app = flask.Flask("gate")
        Gate(Settings(state_dir=tmp_path, **settings)).init_app(app)
        app.register_error_handler(ProxyError, error_responses.respond)
        app.add_url_rule("/", view_func=lambda: "in")
        response = app.test_client().get(path, environ_overrides=environ)
        return response.status_code, (response.json["error"]["code"] if response.is_json else None)

    return get


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:3456",
        "LOCALHOST.:1",
        "127.0.0.1",
        "127.0.0.1:3456",
        "127.8.8.8",
        "[::1]",
        "[::1]:3456",
        "",
    ],
)
def test_loopback_hosts(status, host):
    """Every name of this machine's loopback is let in, with any port."""
    assert status({"HTTP_HOST": host}) == (200, None)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:3456",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example#localhost",
        "localhost,evil.example",
        "192.168.1.2",
        "0.0.0.0",
        "[::]",
        "[::1",
        ":3456",
        "2130706433",
        "localhost evil",
    ],
)
def test_other_hosts(status, host):
    """Every other name is refused, one that was rebound to loopback too."""
    assert status({"HTTP_HOST": host}) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    ("host", "code"), [("box.lan:80", 200), ("BOX.LAN", 200), ("box.lan.evil", 403), ("evilbox.lan", 403)]
)
def test_allowed_hosts(status, host, code):
    """A name the operator trusts is let in, whatever its case, and no longer one."""
    assert status({"HTTP_HOST": host}, allowed_hosts=("Box.lan",))[0] == code


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://localhost:3456", "file://"])
def test_origins(status, origin):
    """A web page is refused, one from this machine too, unless it is allowed."""
    assert status({"HTTP_ORIGIN": origin}) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("https://chat.example.org", 200),
        ("HTTPS://CHAT.example.org", 200),
        ("https://chat.example.org:444", 403),
        ("http://chat.example.org", 403),
        ("https://chat.example.org.evil", 403),
        ("null", 403),
    ],
)
def test_allowed_origins(status, origin, code):
    """An allowed origin is let in exactly: scheme, name and port."""
    assert status({"HTTP_ORIGIN": origin}, allowed_origins=("https://chat.example.org",))[0] == code


@pytest.mark.parametrize(
    ("peer", "code"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("", 200),
        ("10.0.0.2", 403),
        ("::ffff:10.0.0.2", 403),
    ],
)
def test_peers(status, peer, code):
    """A peer on another machine is refused, whatever Host it sends; a Unix socket has no address."""
    assert status({"REMOTE_ADDR": peer})[0] == code


def test_before_anything_else(status):
    """A stranger does not even learn which routes there are."""
    assert status({"HTTP_HOST": "evil.example"}, path="/nowhere") == (403, "host_not_allowed")


def test_every_route(app):
    """No route of the application lets a stranger in."""
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<path:name>", "x")
        for method in rule.methods:
            response = client.open(path, method=method, headers={"Host": "evil.example"})
            assert response.status_code == 403, rule


def test_allowed_page_may_read(tmp_path):
    """An allowed page gets the CORS headers its browser asks for, on answers and on preflights; others get none."""
    app = flask.Flask("gate")
    Gate(Settings(state_dir=tmp_path, allowed_origins=("https://chat.example",))).init_app(app)
    app.register_error_handler(ProxyError, error_responses.respond)
    app.add_url_rule("/", view_func=lambda: "in", methods=["POST"])
    client = app.test_client()
    for response in (
        client.options("/", headers={"Origin": "https://chat.example"}),
        client.post("/", headers={"Origin": "https://chat.example"}),
    ):
        assert response.status_code == 200
        assert response.headers["Access-Control-Allow-Origin"] == "https://chat.example"
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        assert response.headers["Vary"] == "Origin"
    for headers in ({}, {"Origin": "https://evil.example"}):
        names = [name for name, _ in client.post("/", headers=headers).headers]
        assert not any(name.startswith("Access-Control") for name in names)
