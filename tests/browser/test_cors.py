"""A real browser enforces what the server says: an allowed page chats, another does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import FAKE_CLAUDE
from selenium import webdriver
from server import Server, until

pytestmark = pytest.mark.timeout(120)  # the first start of Chromium on a busy machine

SECRET = "page-" + "s" * 30
BODY = {"model": "sonnet", "stream": True, "messages": [{"role": "user", "content": "answer"}]}
ASK = """
    const response = await fetch($0, {
        method: "POST", body: JSON.stringify($1),
        headers: {"Authorization": "Bearer " + $2, "Content-Type": "application/json", "x-session-id": "one",
                  "x-stainless-lang": "js", "x-stainless-retry-count": "0", "OpenAI-Beta": "x"},
    });
    const shown = {status: response.status, id: response.headers.get("x-request-id"),
                   served: response.headers.get("x-proxy-served"), retry: response.headers.get("x-should-retry")};
"""
READ_ALL = ASK + "return {...shown, text: await response.text()};"
# Reads up to the first words, and leaves.
READ_SOME = (
    ASK
    + """
    const reader = response.body.getReader(), decoder = new TextDecoder();
    let text = "";
    while (!text.includes($3)) {
        const {value, done} = await reader.read();
        if (done) return {...shown, text, ended: true};
        text += decoder.decode(value, {stream: true});
    }
    await reader.cancel();
    return {...shown, text, ended: false};
"""
)


@pytest.fixture(scope="module")
def closed(session_serve: Callable[..., Server], site: int, chromium: webdriver.Chrome) -> Iterator[Server]:
    """A server with a key that allows the site's pages under one of its names; nobody starts it without a browser."""
    server = session_serve(
        CLAUDE_BIN=str(FAKE_CLAUDE),
        CLAUDE_PROXY_API_KEYS=f"page:{SECRET}",
        CLAUDE_PROXY_ALLOWED_ORIGINS=f"http://127.0.0.1:{site}",
        CLAUDE_PROXY_SPARES="0",
    )
    yield server
    server.kill()


@pytest.fixture
def chat(closed: Server) -> str:
    return f"{closed.url}/v1/chat/completions"


@pytest.fixture
def allowed(browser: webdriver.Chrome, site: int) -> None:
    browser.get(f"http://127.0.0.1:{site}/")


@pytest.fixture
def stranger(browser: webdriver.Chrome, site: int) -> None:
    """The same page under the site's other name, which is another origin."""
    browser.get(f"http://localhost:{site}/")


def lines(server: Server, since: int) -> list[str]:
    """Return what the log says of requests from character `since` on, without their times."""
    return [line.partition(" app.request ")[2] for line in server.log[since:].splitlines() if " app.request " in line]


@pytest.mark.usefixtures("allowed")
def test_allowed_page_chats(run: Callable[..., Any], chat: str) -> None:
    """An allowed page streams an answer with its key, and may read the headers that tell about it."""
    got = run(READ_ALL, chat, BODY, SECRET)
    assert got.get("thrown") is None
    assert (got["status"], got["served"]) == (200, "cold")
    assert got["id"].startswith("req_")
    assert "Hello" in got["text"]
    assert got["text"].endswith("data: [DONE]\n\n")


@pytest.mark.usefixtures("allowed")
def test_words_as_they_come(run: Callable[..., Any], closed: Server, chat: str) -> None:
    """The page has the first words while the answer goes on; when it leaves, the turn ends."""
    since = len(closed.log)
    hanging = {**BODY, "messages": [{"role": "user", "content": "stubborn"}]}
    got = run(READ_SOME, chat, hanging, SECRET, "Hello ")
    assert (got.get("thrown"), got["ended"]) == (None, False)
    until(lambda: "cancelled=client_gone" in closed.log[since:], 10, "end of the turn")


@pytest.mark.usefixtures("allowed")
def test_wrong_key(run: Callable[..., Any], chat: str) -> None:
    """An allowed page with a wrong key may read that it is wrong."""
    got = run(READ_ALL, chat, BODY, "wrong")
    assert (got["status"], got["retry"]) == (401, "false")
    assert "invalid_api_key" in got["text"]


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_methods(run: Callable[..., Any], closed: Server, method: str) -> None:
    """An allowed page may use the other methods there are; the answer is the server's own."""
    script = "const r = await fetch($0, {method: $1, headers: {'x-api-key': $2}}); return [r.status, await r.json()];"
    status, body = run(script, f"{closed.url}/v1/models", method, SECRET)
    assert (status, "error" in body) == ((200, False) if method == "GET" else (405, True))


@pytest.mark.usefixtures("stranger")
def test_another_page_is_refused(run: Callable[..., Any], closed: Server, chat: str) -> None:
    """A page that is not allowed gets nothing with the right key: its browser stops at the refused preflight."""
    since = len(closed.log)
    assert "TypeError" in run(READ_ALL, chat, BODY, SECRET)["thrown"]
    assert "TypeError" in run("return await (await fetch($0)).text()", f"{closed.url}/v1/models")["thrown"]
    first, *rest = lines(closed, since)
    assert first.startswith("OPTIONS /v1/chat/completions status=403 ")
    assert [line.partition(" ms=")[0] for line in rest] == ["GET /v1/models status=403"]


@pytest.mark.usefixtures("stranger")
def test_another_page_asks_no_permission(run: Callable[..., Any], closed: Server, chat: str) -> None:
    """A page that sends a question without waiting for leave, as a form could, has it refused."""
    since = len(closed.log)
    run("await fetch($0, {method: 'POST', mode: 'no-cors', body: JSON.stringify($1)});", chat, BODY)
    (line,) = lines(closed, since)
    assert line.startswith("POST /v1/chat/completions status=403 ")
    assert "error=origin_not_allowed" in line


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("url", ["http://example.org/", "https://example.org/", "http://192.0.2.1/"])
def test_cut_off(run: Callable[..., Any], browser: webdriver.Chrome, url: str) -> None:
    """The browser itself does not even try to reach anybody beyond this machine, neither by name nor by address."""
    assert "TypeError" in run("return (await fetch($0, {mode: 'no-cors'})).type", url)["thrown"]
    (line,) = (entry["message"] for entry in browser.get_log("browser") if url in entry["message"])
    assert "net::ERR_PROXY_CONNECTION_FAILED" in line
