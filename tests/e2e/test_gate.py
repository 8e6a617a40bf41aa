"""Who may call, on every route; and that whatever is wrong with a request is answered in JSON."""

from __future__ import annotations

import contextlib
import http.client
import json
import selectors
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from conftest import FAKE_CLAUDE
from server import Server, read_to_end, read_until

import app
from app.config import Settings

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
UNKNOWN = ("/v1", "/v1/unknown", "/favicon.ico", "/static/x", "//health", "/v1/../health", "/%00")
QUESTION = {"model": "sonnet", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return a path for every route there is, and some for which there is none."""
    settings = Settings(claude_bin=FAKE_CLAUDE, spares=0, state_dir=tmp_path_factory.mktemp("state"))
    rules = list(app.create_app(settings).url_map.iter_rules())
    assert {"/health", "/ready", "/models", "/v1/models", "/v1/chat/completions"} <= {rule.rule for rule in rules}
    return [*(rule.rule.split("<")[0] + ("x" if "<" in rule.rule else "") for rule in rules), *UNKNOWN]


def error_of(body: bytes) -> dict[str, Any]:
    """Return the error of a response, whose shape is checked."""
    answer = json.loads(body)
    assert list(answer) == ["error"]
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["message"]
    return answer["error"]


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("Origin", "https://evil.example", "origin_not_allowed"),
        ("Origin", "null", "origin_not_allowed"),
        ("Origin", "", "origin_not_allowed"),
        ("Origin", "http://localhost:3456", "origin_not_allowed"),
        ("Host", "evil.example", "host_not_allowed"),
        ("Host", "localhost.evil.example:3456", "host_not_allowed"),
    ],
)
def test_strangers_are_refused_everywhere(
    fake_server: Server, paths: list[str], header: str, value: str, code: str
) -> None:
    """A web page's request gets 403 on every route, on unknown ones too, whatever its method."""
    for path in paths:
        for method in METHODS:
            sent = json.dumps(QUESTION).encode() if method == "POST" else None
            status, headers, body = fake_server.request(method, path, sent, {header: value})
            assert (method, path, status) == (method, path, 403)
            assert not [name for name in headers if name.startswith("access-control-")]
            if method != "HEAD":
                error = json.loads(body)["error"]
                if isinstance(error, str):  # Ollama's has no more than a sentence
                    assert path.startswith("/api/")
                    continue
                # The Messages API has an envelope of its own, with the code among the details.
                assert (error["code"] if "code" in error else error["details"]["error_code"]) == code
                assert error["type"] == "permission_error"
    assert fake_server.slots() == (0, 0)


@pytest.mark.parametrize(
    "host", ["localhost:3456", "localhost", "127.0.0.1", "127.0.0.1:80", "[::1]:3456", "LOCALHOST", "localhost.:1"]
)
def test_loopback_names_pass(fake_server: Server, host: str) -> None:
    """Every name of this machine is answered to, with any port: a tunnel may have another one."""
    assert fake_server.request("GET", "/health", None, {"Host": host})[0] == 200
    assert fake_server.request("POST", "/v1/chat/completions", QUESTION, {"Host": host})[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost@evil.example",
        "evil.example#localhost",
        "evil.example/localhost",
        "127.0.0.1.evil.example",
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
        "[::1",
        "evil.example, localhost",
        "127.1.evil.example:3456",
        ":3456",
    ],
)
def test_hosts_that_only_look_like_loopback(fake_server: Server, host: str) -> None:
    """A name that merely contains a loopback name is a stranger's, and one that is no name is nobody's."""
    status, _, body = fake_server.request("GET", "/health", None, {"Host": host})
    assert status in {400, 403}
    if status == 403:
        assert error_of(body)["code"] == "host_not_allowed"


def test_two_hosts(fake_server: Server) -> None:
    """A request with two Host headers does not pass on the strength of one of them."""
    with socket.create_connection(("127.0.0.1", fake_server.port), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert read_to_end(connection).split()[1] in {b"400", b"403"}


def test_no_host(fake_server: Server) -> None:
    """A program that speaks HTTP/1.0 without a Host is served: browsers always send one."""
    with socket.create_connection(("127.0.0.1", fake_server.port), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert read_to_end(connection).split()[1] == b"200"


def test_allowed_by_settings(serve: Callable[..., Server]) -> None:
    """Hosts and origins that the operator names pass, in any case; their neighbours do not."""
    server = serve(
        CLAUDE_BIN=str(FAKE_CLAUDE),
        CLAUDE_PROXY_ALLOWED_HOSTS="box.local, Proxy.Example",
        CLAUDE_PROXY_ALLOWED_ORIGINS="https://chat.example.org http://localhost:8080/",
    )
    passing = [("Host", name) for name in ("box.local", "BOX.local:3456", "proxy.example", "localhost")]
    passing += [("Origin", name) for name in ("https://chat.example.org", "http://localhost:8080")]
    refused = [("Host", "x.box.local"), ("Host", "evil.example"), ("Origin", "null")]
    refused += [("Origin", f"http{end}") for end in ("://chat.example.org", "s://chat.example.org:1", "://localhost")]
    for header in passing:
        assert (header, server.request("GET", "/health", None, dict([header]))[0]) == (header, 200)
    for header in refused:
        assert (header, server.request("GET", "/health", None, dict([header]))[0]) == (header, 403)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/unknown", 404, "not_found"),
        ("POST", "/nowhere", 404, "not_found"),
        ("POST", "/", 405, "method_not_allowed"),
        ("GET", "/v1/models/gpt-4", 404, "model_not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("BREW", "/health", 405, "method_not_allowed"),
    ],
)
def test_wrong_address(fake_server: Server, method: str, path: str, status: int, code: str) -> None:
    """No such route, model or method is an error in JSON, and 405 says what is allowed."""
    got, headers, body = fake_server.request(method, path)
    assert got == status
    assert headers["content-type"] == "application/json"
    assert headers["x-should-retry"] == "false"
    assert error_of(body)["code"] == code
    assert error_of(body)["type"] == "invalid_request_error"
    assert ("allow" in headers) is (status == 405)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "image/png"},
        {"Content-Encoding": "gzip"},
    ],
)
def test_other_formats(fake_server: Server, headers: dict[str, str]) -> None:
    """A body in another format than JSON is a 415 that names it."""
    status, _, body = fake_server.request("POST", "/v1/chat/completions", QUESTION, headers)
    assert status == 415
    assert error_of(body)["code"] == "unsupported_media_type"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"])
def test_json_by_another_name(fake_server: Server, kind: str) -> None:
    """JSON is read whatever the header calls it: curl -d names a form."""
    assert fake_server.request("POST", "/v1/chat/completions", QUESTION, {"Content-Type": kind})[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b'{"model": "sonnet", "messages": [{"role": "user", "content": "hello"}]} x',
        b'{"model": "sonnet", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
        b'{"model": "s\xc3", "messages": []}',
        "{}".encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"model": "sonnet", "messages": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"model": "sonnet", "messages": [{"role": "user", "content": ' + b"[" * 900 + b"]" * 900 + b"}]}",
        b"null",
        b"[]",
        b'"text"',
        b"NaN",
        b'{"model": NaN, "messages": []}',
        b'{"model": 1e999, "messages": []}',
        b"\x00",
    ],
    ids=range(17),
)
def test_malformed_body(fake_server: Server, sent: bytes) -> None:
    """What is not the JSON the contract asks for is a 400 with a reason, never a 500."""
    status, headers, body = fake_server.request("POST", "/v1/chat/completions", sent)
    assert status == 400
    assert headers["x-should-retry"] == "false"
    assert error_of(body)["type"] == "invalid_request_error"


def test_nothing_was_logged_as_a_failure(fake_server: Server) -> None:
    """Bad requests are the client's business: no traceback in the log."""
    since = len(fake_server.log)
    for sent in (b"{", b"[" * 100_000, b"\xff"):
        fake_server.request("POST", "/v1/chat/completions", sent)
    assert "Traceback" not in fake_server.log[since:]


@pytest.fixture(scope="module")
def small(session_serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes a mebibyte."""
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_MAX_BODY="1MiB", CLAUDE_PROXY_SPARES="0")
    yield server
    server.kill()


@pytest.mark.parametrize("size", [2**20 + 1, 8 * 2**20, 40 * 2**20])
def test_body_too_large(small: Server, size: int) -> None:
    """A body beyond the limit is a 413 that the client can read, though it is still sending."""
    status, _, body = small.request("POST", "/v1/chat/completions", b"x" * size)
    assert status == 413
    error = error_of(body)
    assert (error["type"], error["code"]) == ("invalid_request_error", "request_too_large")
    assert "CLAUDE_PROXY_MAX_BODY" in error["message"]


@pytest.mark.parametrize("header", [{"Origin": "null"}, {"Content-Encoding": "gzip"}], ids=["403", "415"])
def test_large_body_of_a_refused_request(fake_server: Server, header: dict[str, str]) -> None:
    """A request that is refused for another reason gets its answer as well, however large its body is."""
    status, _, body = fake_server.request("POST", "/v1/chat/completions", b"x" * (8 * 2**20), header)
    assert status in {403, 415}
    error_of(body)
    assert fake_server.request("POST", "/v1/nowhere", b"x" * (8 * 2**20))[0] == 404


def test_answer_does_not_wait_for_the_body(fake_server: Server) -> None:
    """A refused client that does not send the body it announced gets its answer at once, and its connection ends."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", fake_server.port), timeout=10) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        read_until(connection, b"not_found")
        assert time.monotonic() - began < 3
        read_to_end(connection)
    assert time.monotonic() - began < 10


def in_chunks(server: Server, parts: Iterable[bytes]) -> tuple[int, bytes]:
    """Ask with a body that does not tell its size in advance; return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", iter(parts), encode_chunked=True)
        response = connection.getresponse()
        return response.status, response.read()


def test_chunked_body_too_large(small: Server) -> None:
    """The limit holds for a body that does not tell its size in advance."""
    status, body = in_chunks(small, (b"x" * 65536 for _ in range(128)))
    assert status == 413
    assert error_of(body)["code"] == "request_too_large"


def test_chunked_body(small: Server) -> None:
    """A body in chunks is as good as any other."""
    assert in_chunks(small, (bytes([byte]) for byte in json.dumps(QUESTION).encode()))[0] == 200


def test_body_too_large_for_the_openai_client(small: Server) -> None:
    """The official client raises the status, not a connection error."""
    messages = [{"role": "user", "content": "x" * (8 * 2**20)}]
    client = openai.OpenAI(base_url=f"{small.url}/v1", api_key="x", max_retries=0)
    with client, pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="sonnet", messages=messages)
    assert raised.value.status_code == 413


def test_paths_are_not_files(fake_server: Server, tmp_path: Path) -> None:
    """Nothing of the disk is served."""
    for path in ("/../../etc/passwd", "/..%2f..%2fetc/passwd", "/app/config.py", "/.git/config", "/wsgi.py"):
        assert fake_server.request("GET", path)[0] == 404


def test_pictures_take_no_places(fake_server: Server) -> None:
    """As many foreign pictures of /events as there are places leave the status page its own."""
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    with contextlib.ExitStack() as pictures:
        for _ in range(8):
            picture = pictures.enter_context(contextlib.closing(fake_server.connect()))
            picture.request("GET", "/events", headers=foreign)
            assert picture.getresponse().status == 403
        own = pictures.enter_context(contextlib.closing(fake_server.connect()))
        own.request("GET", "/events", headers={"Sec-Fetch-Site": "same-origin"})
        assert own.getresponse().status == 200


def test_what_foreign_pages_cause(fake_server: Server) -> None:
    """A picture, script or frame of another site gets nothing from any page but `/health`."""
    for dest in ("image", "script", "iframe"):
        foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": dest}
        assert fake_server.request("GET", "/health", headers=foreign)[0] == 200
        for path in ("/", "/events", "/metrics", "/ready", "/v1/models", "/openapi.json"):
            status, _, body = fake_server.request("GET", path, headers=foreign)
            assert (path, status, error_of(body)["code"]) == (path, 403, "origin_not_allowed")


def test_pages_that_are_allowed(serve: Callable[..., Server]) -> None:
    """An allowed page, an app's too, may send every header that it asks for; another may send none."""
    server = serve(
        CLAUDE_BIN=str(FAKE_CLAUDE),
        CLAUDE_PROXY_SPARES="0",
        CLAUDE_PROXY_ALLOWED_ORIGINS="https://chat.example,app://,tauri://localhost",
    )
    names = "authorization,content-type,dangerously-allow-browser,http-referer,x-title,x-whatever-comes"
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": names}
    for origin in ("https://chat.example", "app://obsidian.md", "tauri://localhost"):
        status, headers, _ = server.request("OPTIONS", "/v1/chat/completions", headers={"Origin": origin, **asking})
        assert (status, headers["access-control-allow-origin"]) == (204, origin)
        assert headers["access-control-allow-headers"] == names
        status, headers, _ = server.request("POST", "/v1/chat/completions", QUESTION, {"Origin": origin})
        assert (status, headers["access-control-allow-origin"]) == (200, origin)
    status, headers, _ = server.request("OPTIONS", "/v1/models", headers={"Origin": "tauri://other", **asking})
    assert (status, "access-control-allow-headers" in headers) == (403, False)


def test_bodies_in_flight(small: Server) -> None:
    """Bodies are bounded in all: beyond six of the largest a large one is a 429, and a small one is answered."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(10):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", small.port), timeout=30))
            connection.sendall(head + b" " * 990_000)
            connections.append(connection)
        with selectors.DefaultSelector() as selector:
            for connection in connections:
                selector.register(connection, selectors.EVENT_READ)
            (key, _), *_ = selector.select(30)
        data = read_to_end(key.fileobj)  # type: ignore[arg-type]
        assert data.startswith(b"HTTP/1.1 429 ")
        assert b"bodies_too_large" in data
        assert small.request("POST", "/v1/chat/completions", QUESTION)[0] == 200


BROKEN = (
    "é",
    "Basic é",
    "Basic =",
    "Basic aGk",
    "Basic " + "A" * 5,
    "Bearer é",
    'Digest x="',
    "Digest a*=é'",
    "Basic",
    "ÿ",
)


@pytest.mark.parametrize("name", ["Authorization", "x-api-key"])
def test_broken_credentials(serve: Callable[..., Server], name: str) -> None:
    """A header that is no credentials is a 401 like any wrong key, and no traceback."""
    server = serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0", CLAUDE_PROXY_API_KEYS=f"a:{'k' * 30}")
    for value in BROKEN:
        status, _, body = server.request("GET", "/v1/models", headers={name: value})
        assert (status, error_of(body)["code"]) == (401, "invalid_api_key"), value
    assert "Traceback" not in server.log


ODD = ("é", "\xff\xfe", "a=b;c", '"', "=?utf-8?q?x?=", "-1")


@pytest.mark.parametrize(
    "name",
    """
    Authorization X-Session-Id X-Proxy-Tools x-session-affinity Origin Host Cookie Accept Accept-Encoding Range If-Match
    If-None-Match If-Modified-Since If-Range Content-Type Content-Encoding anthropic-version anthropic-beta Forwarded
    X-Forwarded-For X-Forwarded-Proto Sec-Fetch-Site Access-Control-Request-Headers Cache-Control Date User-Agent
    Referer Pragma
    """.split(),
)
def test_odd_headers(fake_server: Server, name: str) -> None:
    """Whatever a header holds, the request is answered or refused, never an error of the server's."""
    before = fake_server.log.count("Traceback")
    for value in ODD:
        for method, path in (("GET", "/"), ("GET", "/v1/models"), ("POST", "/v1/chat/completions")):
            body = QUESTION if method == "POST" else None
            status, _, data = fake_server.request(method, path, body, headers={name: value})
            assert status < 500, (name, value, status, data)
    assert fake_server.log.count("Traceback") == before
