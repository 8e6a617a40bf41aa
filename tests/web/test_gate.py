"""Programs on this machine may call, web pages and other machines may not."""

from __future__ import annotations

import flask
import pytest

from app.config import Settings
from app.config_reading import read_settings
from app.errors import ConfigError, ProxyError
from app.keys.key import Key, digest
from app.records.record import RequestRecord
from app.web import error_responses
from app.web.gate import Gate


def guard(app, gate):
    """Have `app` guarded, as the factory does."""

    def begin():
        flask.g.record = RequestRecord("/")

    app.before_request(begin)
    app.before_request(gate.check)
    app.after_request(gate.permit)


@pytest.fixture
def status(tmp_path):
    """Give a function that sends a request through the gate and returns the status and the error's code."""

    def get(environ, path="/", **settings):
        app = flask.Flask("gate")
        guard(app, Gate(Settings(state_dir=tmp_path, **settings)))
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
        "evil.example@localhost",
        "evil.example\\@localhost",
        "[::1].evil.example",
        "[::1]evil",
        "localhost:1/evil.example",
        "localhost:evil",
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
    ("host", "origin", "code"),
    [
        ("localhost:3456", "http://localhost:3456", 200),
        ("127.0.0.1:3456", "HTTP://127.0.0.1:3456", 200),
        ("[::1]:3456", "http://[::1]:3456", 200),
        ("localhost", "http://localhost", 200),
        ("localhost:3456", "http://localhost:8080", 403),
        ("localhost:3456", "http://127.0.0.1:3456", 403),
        ("localhost:3456", "http://localhost", 403),
        ("localhost:3456", "https://localhost:3456", 403),
        ("localhost", "https://localhost", 403),
        ("", "http://", 403),
        ("evil.example:3456", "http://evil.example:3456", 403),
        ("box.lan:3456", "http://box.lan:3456", 200),
    ],
)
def test_own_page(status, host, origin, code):
    """The server's own page may call: scheme, name and port are those it came from, and the name is one of ours.

    Neither a page of another program on this machine is it, nor one under a name that was rebound to it.
    """
    assert status({"HTTP_HOST": host, "HTTP_ORIGIN": origin}, allowed_hosts=("box.lan",))[0] == code


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
    guard(app, Gate(Settings(state_dir=tmp_path, allowed_origins=("https://chat.example",))))
    app.register_error_handler(ProxyError, error_responses.respond)
    app.add_url_rule("/", view_func=lambda: "in", methods=["POST"])
    client = app.test_client()
    names = "authorization,content-type,dangerously-allow-browser,http-referer,x-title,x-whatever-comes"
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": names}
    preflight = client.options("/", headers={"Origin": "https://chat.example", **asking})
    answer = client.post("/", headers={"Origin": "https://chat.example"})
    for response in (preflight, answer):
        assert response.headers["Access-Control-Allow-Origin"] == "https://chat.example"
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "*" not in str(response.headers)
        assert response.headers["Vary"].startswith("Origin")
    assert (preflight.status_code, preflight.data) == (204, b"")
    assert preflight.headers["Access-Control-Allow-Headers"] == names
    assert "DELETE" in preflight.headers["Access-Control-Allow-Methods"]
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"x-request-id", "WWW-Authenticate", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-share"} <= {*exposed}
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "https://evil.example", **asking}, asking):
        for method in ("POST", "OPTIONS"):
            names = [name for name, _ in client.open("/", method=method, headers=headers).headers]
            assert not any(name.startswith("Access-Control") for name in names)


@pytest.mark.parametrize("asked", ["x-a; y", "x a", "ü", ""])
def test_odd_preflights(tmp_path, asked):
    """What is no list of names is not handed back."""
    app = flask.Flask("gate")
    guard(app, Gate(Settings(state_dir=tmp_path, allowed_origins=("https://chat.example",))))
    headers = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST"}
    answer = app.test_client().options("/", headers={**headers, "Access-Control-Request-Headers": asked})
    assert answer.status_code == 204
    assert "Access-Control-Allow-Headers" not in answer.headers


@pytest.mark.parametrize(
    ("allowed", "origin", "code"),
    [
        ("app://", "app://obsidian.md", 200),
        ("app://", "app://", 200),
        ("APP://", "app://-", 200),
        ("tauri://localhost", "tauri://localhost", 200),
        ("tauri://localhost", "tauri://other", 403),
        ("capacitor://localhost, vscode-webview://", "vscode-webview://1k2j3", 200),
        ("chrome-extension://abcdef", "chrome-extension://abcdef", 200),
        ("chrome-extension://abcdef", "chrome-extension://abcdeg", 403),
        ("app://", "application://x", 403),
        ("app://", "https://app://", 403),
        ("app://", "null", 403),
        ("https://chat.example/", "https://chat.example", 200),
    ],
)
def test_origins_of_apps(status, allowed, origin, code):
    """Apps that are web pages under a scheme of their own can be allowed, one by one or all of a scheme."""
    given = read_settings({"CLAUDE_PROXY_ALLOWED_ORIGINS": allowed}).allowed_origins
    assert status({"HTTP_ORIGIN": origin}, allowed_origins=given)[0] == code


@pytest.mark.parametrize("bad", ["https://", "http://", "app", "://x", "https://x/y", "https://*", "null"])
def test_no_origins(bad):
    """The whole web cannot be allowed, nor what is no origin."""
    with pytest.raises(ConfigError, match="CLAUDE_PROXY_ALLOWED_ORIGINS"):
        read_settings({"CLAUDE_PROXY_ALLOWED_ORIGINS": bad})


@pytest.fixture
def cause(app):
    """Give a function that sends a GET as a browser does for a page of another origin."""

    def get(path, mode="no-cors", dest="image", site="cross-site"):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        response = app.test_client().get(path, headers=headers)
        response.close()
        return response.status_code

    return get


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("mode", "dest"), [("no-cors", "image"), ("no-cors", "script"), ("navigate", "iframe"), ("navigate", "object")]
)
def test_what_foreign_pages_cause(app, cause, site, mode, dest):
    """Pictures, scripts and frames of foreign pages, other ports' too, learn only that the server runs."""
    assert cause("/health", mode, dest, site) == 200
    rules = [rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and rule.rule != "/health"]
    for path in [*rules, "/nowhere"]:
        assert cause(path.replace("<path:name>", "x"), mode, dest, site) == 403, path


def test_links(cause):
    """A person may follow a link to what is there to be read, and to nothing else."""
    assert [cause(path, "navigate", "document") for path in ("/", "/docs")] == [200, 200]
    assert [cause(path, "navigate", "document") for path in ("/events", "/ready", "/v1/sessions")] == [403, 403, 403]


@pytest.mark.parametrize("site", ["same-origin", "none", ""])
def test_own_and_typed(cause, site):
    """The server's own page, and a person who types the address, may look at everything."""
    assert [cause(path, "navigate", "document", site) for path in ("/", "/health", "/docs")] == [200] * 3
    assert cause("/page/page.js", "no-cors", "script", site) == 200


def test_preflights_tell_nothing(tmp_path):
    """A preflight is answered the same for every path, so that a page without a key learns of no route."""
    app = flask.Flask("gate")
    guard(app, Gate(Settings(state_dir=tmp_path, allowed_origins=("https://chat.example",))))
    app.add_url_rule("/", view_func=lambda: "in")
    headers = {"Origin": "https://chat.example", "Access-Control-Request-Method": "PUT"}
    known, unknown = (app.test_client().options(path, headers=headers) for path in ("/", "/nowhere"))
    assert known.status_code == unknown.status_code == 204
    assert list(known.headers) == list(unknown.headers)


KEY = Key("laptop", digest("x" * 16))


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("192.168.1.2:3456", 200),
        ("[fe80::1]:3456", 200),
        ("localhost", 200),
        ("box.lan:3456", 200),
        ("evil.example", 403),
        ("192.168.1.2.evil.example", 403),
        ("2130706433", 403),
    ],
)
def test_beyond_loopback(status, host, code):
    """A server that listens to other machines answers to them, under its addresses and the names it was given."""
    given = status(
        {"HTTP_HOST": host, "REMOTE_ADDR": "192.168.1.9"}, host="0.0.0.0", api_keys=(KEY,), allowed_hosts=("box.lan",)
    )
    assert given[0] == code


def test_beyond_loopback_by_name(status):
    """The name that HOST gives is one to answer to."""
    assert status({"HTTP_HOST": "box.lan:1"}, host="Box.lan", api_keys=(KEY,))[0] == 200


def test_pages_beyond_loopback(status):
    """Web pages are refused there as well, unless they are allowed."""
    settings = {"host": "0.0.0.0", "api_keys": (KEY,), "allowed_origins": ("https://chat.example",)}
    assert status({"HTTP_ORIGIN": "https://evil.example"}, **settings) == (403, "origin_not_allowed")
    assert status({"HTTP_ORIGIN": "https://chat.example"}, **settings) == (200, None)


def test_keys_alone_open_nothing(status):
    """Keys do not let in other machines where HOST is loopback, whatever gunicorn was told to listen on."""
    assert status({"REMOTE_ADDR": "10.0.0.2"}, api_keys=(KEY,)) == (403, "peer_not_allowed")
    assert status({"HTTP_HOST": "192.168.1.2"}, api_keys=(KEY,)) == (403, "host_not_allowed")
