"""Where there are keys every route but /health asks for one, and each key is held to its limits."""

from __future__ import annotations

import logging

import pytest
from server import until

from app.keys.file import KeyFile
from app.web.keys import Keys
from app.web.state import state

SECRET, OTHER = "laptop-" + "s" * 20, "phone-" + "o" * 20
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
# What a browser is to ask its user for a key for.
READ = ("GET", "HEAD", "OPTIONS")
PAGE = {"/": READ, "/events": READ, "/resume": ("POST", "OPTIONS"), "/docs": READ, "/docs/<topic>": READ}
# What the page that asks for a key is made of.
FILE = "/page/<name>"
UNKNOWN = ("/", "/v1", "/v1/unknown", "/favicon.ico", "/health/x", "/%00", "/v1/health")
QUESTION = {"model": "sonnet", "messages": [{"role": "user", "content": "answer"}]}
ORIGIN = "https://chat.example"


@pytest.fixture
def make_closed(make_app):
    """Give a function that makes an application with two keys, and further environment variables."""

    def make(**env):
        return make_app(CLAUDE_PROXY_API_KEYS=f"laptop:{SECRET} phone:{OTHER}", **env)

    return make


@pytest.fixture
def closed(make_closed):
    return make_closed(CLAUDE_PROXY_ALLOWED_ORIGINS=ORIGIN)


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def ask(app, text="answer", secret=SECRET, **fields):
    body = {**QUESTION, "messages": [{"role": "user", "content": text}], **fields}
    return app.test_client().post("/v1/chat/completions", json=body, headers=bearer(secret))


def limits_of(app):
    """Return the counts of an application, from where its hook has them."""
    owners = (getattr(hook, "__self__", None) for hook in app.before_request_funcs[None])
    (keys,) = (owner for owner in owners if isinstance(owner, Keys))
    return keys._limits


def paths(app):
    return [rule.rule.replace("<path:name>", "x") for rule in app.url_map.iter_rules()]


def assert_told(path, error):
    """Fail unless the error says that the key is wrong, in the words of the path's clients."""
    if path.startswith("/api"):
        assert "API key" in error
        return
    if "/messages" in path:
        assert error["type"] == "authentication_error"
        assert error["details"] == {"error_code": "invalid_api_key"}
        return
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert set(error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("wrong" * 9), bearer(""), {"x-api-key": SECRET[:-1]}, {"Authorization": f"Basic {SECRET}"}],
    ids=["none", "wrong", "empty", "nearly", "basic"],
)
def test_every_route_is_closed(closed, headers):
    """Without a right key every route there is, and every one there is not, is a 401 whatever the method."""
    client = closed.test_client()
    assert len(paths(closed)) > 8
    for path in (*paths(closed), *UNKNOWN):
        for method in METHODS:
            if path in {"/health", FILE} and method in {"GET", "HEAD"}:
                continue
            response = client.open(path, method=method, headers=headers)
            assert (method, path, response.status_code) == (method, path, 401)
            asked = "Basic" if method in PAGE.get(path, ()) or (path, method) == (FILE, "OPTIONS") else "Bearer"
            assert response.headers["WWW-Authenticate"].partition(" ")[0] == asked
            assert response.headers["x-should-retry"] == "false"
            assert "x-request-id" in response.headers
            if method != "HEAD":
                assert_told(path, response.json["error"])


def test_strangers_make_no_news(closed):
    """Who asks without a key for files that there are not puts nothing among the errors that the operator sees."""
    client = closed.test_client()
    with client.get("/page/none.js") as response:
        assert response.status_code == 404
    assert state(closed).history.errors() == []


def test_health_is_open(closed):
    """Whether the server runs is told to anyone, with a wrong key too."""
    for headers in ({}, bearer("wrong")):
        for path in ("/health", "/health/"):
            assert closed.test_client().get(path, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        bearer(SECRET),
        {"Authorization": f"bearer   {SECRET} "},
        {"x-api-key": SECRET},
        {"x-api-key": OTHER, **bearer("not-needed")},
        {"x-api-key": "not-needed", **bearer(OTHER)},
    ],
)
def test_a_right_key_opens(closed, headers):
    """A right key in either header opens every route, whatever the other header holds."""
    client = closed.test_client()
    assert client.get("/v1/models", headers=headers).status_code == 200
    assert client.get("/nowhere", headers=headers).status_code == 404
    assert client.post("/v1/chat/completions", json=QUESTION, headers=headers).status_code == 200


def test_without_keys(client):
    """A server without keys takes any, and none."""
    for headers in ({}, bearer("whatever"), {"x-api-key": "x"}):
        assert client.get("/v1/models", headers=headers).status_code == 200


def test_a_key_made_and_revoked_while_it_runs(app, tmp_path):
    """The first key closes the running server; a revoked one is refused at once, and the last does not open it."""
    client, file = app.test_client(), KeyFile(tmp_path / "state")
    assert client.get("/v1/models").status_code == 200
    secret = file.add("late")
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers=bearer(secret)).status_code == 200
    file.revoke("late")
    assert client.get("/v1/models", headers=bearer(secret)).status_code == 401
    assert client.get("/health").status_code == 200


def test_damaged_file(app, tmp_path):
    """A file of keys that goes bad closes the server with an error of its own, which says where to look and no more."""
    client, file = app.test_client(), KeyFile(tmp_path / "state")
    secret = file.add("a")
    file.path.write_text("{")
    response = client.get("/v1/models", headers=bearer(secret))
    assert (response.status_code, response.json["error"]["code"]) == (500, "keys_unusable")
    assert str(tmp_path) not in response.text
    assert client.get("/health").status_code == 200


def test_preflights_need_no_key(closed):
    """A browser asks for an allowed page without its key; other pages' preflights, and plain OPTIONS, are refused."""
    client, asking = closed.test_client(), {"Access-Control-Request-Method": "POST"}
    path = "/v1/chat/completions"
    assert client.options(path, headers={"Origin": ORIGIN, **asking}).status_code == 204
    assert client.options(path, headers={"Origin": "https://evil.example", **asking}).status_code == 403
    assert client.options(path, headers={"Origin": ORIGIN}).status_code == 401
    assert client.options(path, headers=asking).status_code == 401


def test_an_allowed_page_needs_a_key(closed):
    """To be allowed is no key; but the page may read why it was refused."""
    response = closed.test_client().get("/v1/models", headers={"Origin": ORIGIN})
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize("stream", [False, True])
def test_log(closed, caplog, stream):
    """Every line about a request has its key's name, and nothing has a key, right or wrong."""
    caplog.set_level(logging.DEBUG, "app")
    response = ask(closed, stream=stream)
    assert response.data
    response.close()
    ask(closed, secret="WRONG" * 9).close()
    lines = [record.getMessage() for record in caplog.records if record.name == "app.request"]
    *right, wrong = lines
    assert len(right) == 1 + stream
    assert all(" key=laptop id=req_" in line for line in right)
    assert " error=invalid_api_key id=" in wrong
    for secret in (SECRET, OTHER, "WRONG"):
        assert secret not in caplog.text


def test_rate(make_closed):
    """Completions are counted, good and bad, a key at a time; reading and unknown routes are not."""
    app = make_closed(CLAUDE_PROXY_KEY_RPM="3")
    client = app.test_client()
    for _ in range(10):
        assert client.get("/v1/models", headers=bearer(SECRET)).status_code == 200
        assert client.post("/nowhere", headers=bearer(SECRET)).status_code == 404
        assert client.post("/v1/models", headers=bearer(SECRET)).status_code == 405
    for fields, status in (({}, 200), ({"model": 1}, 400), ({"stream": True}, 200)):
        with ask(app, **fields) as response:
            assert response.status_code == status
    refused = ask(app)
    assert (refused.status_code, refused.json["error"]["code"]) == (429, "key_rate_limit")
    assert refused.json["error"]["type"] == "rate_limit_error"
    assert refused.headers["x-should-retry"] == "true"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert client.get("/v1/models", headers=bearer(SECRET)).status_code == 200
    assert ask(app, secret=OTHER).status_code == 200


def test_concurrency(make_closed):
    """A stream counts until it is closed; meanwhile the key's next request is refused, and another key's is not."""
    app = make_closed(CLAUDE_PROXY_KEY_CONCURRENCY="1")
    stream = ask(app, "hang", stream=True)
    assert stream.status_code == 200
    refused = ask(app)
    assert (refused.status_code, refused.json["error"]["code"]) == (429, "key_concurrency_limit")
    assert refused.headers["x-should-retry"] == "true"
    assert int(refused.headers["Retry-After"]) > 0
    assert ask(app, secret=OTHER).status_code == 200
    stream.close()
    until(lambda: ask(app).status_code == 200, 5, "a free place")


def test_no_count_is_left(make_closed, monkeypatch):
    """However a request ends, its place comes back."""
    app = make_closed(CLAUDE_PROXY_KEY_CONCURRENCY="1", CLAUDE_PROXY_MAX_BODY="1MiB")
    limits = limits_of(app)
    for stream in (False, True):
        for text in ("answer", "crash-before", "crash", "garbage"):
            response = ask(app, text, stream=stream)
            assert response.data
            response.close()
            assert limits.running("laptop") == 0
        unread = ask(app, "hang", stream=stream) if stream else ask(app, "answer")
        unread.close()
        assert limits.running("laptop") == 0
    client = app.test_client()
    for body, status in ((b"{", 400), (b"x" * (2**20 + 1), 413)):
        with client.post("/v1/chat/completions", data=body, headers=bearer(SECRET)) as response:
            assert response.status_code == status
        assert limits.running("laptop") == 0
    # A hook that fails loses the first response, whose close nobody will call.
    monkeypatch.setitem(app.after_request_funcs, None, [*app.after_request_funcs[None], lambda _: 1 // 0])
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(ZeroDivisionError):
        ask(app)
    assert limits.running("laptop") == 0
