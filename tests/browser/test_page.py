"""The status page in a real browser: what it shows, that it stays live, and that everybody can use it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import npm
import pytest
from conftest import FAKE_CLAUDE
from selenium import webdriver
from server import Server, until

pytestmark = pytest.mark.timeout(120 + npm.INSTALL_TIMEOUT)

SECRET = "page-" + "s" * 30
AXE = Path(__file__).parent / "axe"
VIEWS = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]


@pytest.fixture(scope="module")
def open_server(session_serve: Callable[..., Server], chromium: webdriver.Chrome) -> Iterator[Server]:
    """A server without keys; nobody starts it without a browser."""
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_KEEP="0")
    server.chat("answer")
    server.chat("crash")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> str:
    """The script of axe-core."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed, which brings axe-core")
    folder = npm.installed(AXE, pytestconfig.cache.mkdir("axe"), tmp_path_factory.mktemp("npm"))
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture
def view(browser: webdriver.Chrome) -> Iterator[Callable[[int, str], None]]:
    """Give a function that sets the width in pixels and the colour scheme."""

    def choose(width: int, scheme: str) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    yield choose
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture
def page(browser: webdriver.Chrome, open_server: Server) -> webdriver.Chrome:
    """The page, live."""
    return opened(browser, open_server.url)


def opened(browser: webdriver.Chrome, url: str) -> webdriver.Chrome:
    browser.get(f"{url}/")
    until(lambda: text(browser, "live") == "live", 10, "live page")
    return browser


def text(browser: webdriver.Chrome, name: str) -> str:
    return browser.find_element("id", name).text


def ask(browser: webdriver.Chrome, question: str) -> None:
    browser.find_element("id", "question").send_keys(question)
    browser.find_element("id", "send").click()


@pytest.fixture(params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def scheme(request: pytest.FixtureRequest, view: Callable[[int, str], None]) -> str:
    """The colour scheme, in a window of some width."""
    view(*request.param)
    return request.param[1]


def test_views(browser: webdriver.Chrome, open_server: Server, axe: str, scheme: str) -> None:
    """On a phone and wide, light and dark: nothing in the console, nothing cut off, nothing that axe calls serious."""
    page = opened(browser, open_server.url)
    until(lambda: "cli_exited" in text(page, "requests"), 5, "requests")
    until(lambda: "5 hours: 25 % used" in text(page, "plan"), 10, "plan")
    assert not page.find_element("id", "unknown").is_displayed()
    page.execute_script("for (const part of document.querySelectorAll('details')) part.open = true;")
    background = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 3 * 128) is (scheme == "dark")
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert page.execute_script("return document.querySelectorAll('#chart rect, #chart circle').length") >= 2
    page.execute_script(axe)
    found = page.execute_async_script("const done = arguments[0]; axe.run().then(done, error => done(String(error)));")
    assert found["passes"]
    serious = [broken for broken in found["violations"] if broken["impact"] in {"serious", "critical"}]
    assert [(broken["id"], [node["target"] for node in broken["nodes"]]) for broken in serious] == []
    assert page.get_log("browser") == []


def test_live(page: webdriver.Chrome, open_server: Server) -> None:
    """A request that another client makes shows while it runs and when it has ended, without a reload."""
    before = page.execute_script("return document.querySelectorAll('#requests tr').length")
    with open_server.open_stream("slow"):
        until(lambda: "running" in text(page, "requests"), 5, "running request")
        until(lambda: "1 of 8 running" in text(page, "counts"), 5, "count")
    until(lambda: "client left" in text(page, "requests"), 5, "ended request")
    assert page.execute_script("return document.querySelectorAll('#requests tr').length") == before + 1


def test_left_pages_hold_nothing(browser: webdriver.Chrome, open_server: Server) -> None:
    """A page that was left gives its connections back: a browser has six, and keeps pages to go back to."""
    for _ in range(7):
        ask(opened(browser, open_server.url), "hang")


def test_chat(page: webdriver.Chrome) -> None:
    """The chat streams: its first words stand there while the answer goes on, and then the count of tokens."""
    ask(page, "slow")
    until(lambda: text(page, "talk").rstrip().endswith("Hello"), 5, "first words")
    assert page.find_element("id", "stop").is_enabled()
    until(lambda: text(page, "talk") == "slow\nHello world.", 6, "whole answer")
    until(lambda: text(page, "told") == "1 tokens in, 2 out", 5, "tokens")
    assert not page.find_element("id", "stop").is_enabled()
    assert page.get_log("browser") == []


def test_stop(page: webdriver.Chrome, open_server: Server) -> None:
    """The stop button ends the answer, at the server too; the page goes on."""
    since = len(open_server.log)
    ask(page, "hang")
    until(lambda: text(page, "talk").rstrip().endswith("Hello"), 5, "first words")
    page.find_element("id", "stop").click()
    until(lambda: text(page, "told") == "Stopped.", 5, "word of it")
    until(lambda: "cancelled=client_gone" in open_server.log[since:], 5, "end of the turn")
    ask(page, "answer")
    until(lambda: text(page, "talk").endswith("Hello world."), 5, "next answer")


def test_markup_is_text(page: webdriver.Chrome) -> None:
    """Markup in a question is shown as what it is."""
    ask(page, "answer <img src=x onerror=alert(1)><b>bold</b>")
    until(lambda: "<b>bold</b>" in text(page, "talk"), 5, "question")
    assert page.find_elements("css selector", "#talk b, #talk img") == []


def test_policy(page: webdriver.Chrome, run: Callable[..., Any]) -> None:
    """The browser refuses foreign scripts, inline scripts and requests to elsewhere on this page."""
    script = "const s = document.createElement('script'); try { s.textContent = 'window.pwned = 1'; } catch {}; "
    run(script + "document.body.append(s);")
    assert page.execute_script("return window.pwned") is None
    assert "TypeError" in run("return await (await fetch('http://127.0.0.1:1/')).text()")["thrown"]
    assert "Content Security Policy" in str(page.get_log("browser"))


def test_failure_is_told(page: webdriver.Chrome) -> None:
    """What goes wrong in the chat is said where one looks, and the question is not asked again."""
    ask(page, "crash-before")
    until(lambda: "claude CLI ended" in text(page, "told"), 5, "error")
    assert text(page, "talk") == "crash-before"
    ask(page, "answer")
    until(lambda: text(page, "talk").endswith("Hello world."), 5, "answer")


def test_keys(session_serve: Callable[..., Server], browser: webdriver.Chrome) -> None:
    """With keys the browser asks for one as a password; then the page is live and chats under the key's name."""
    keys = f"laptop:{SECRET}"
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_API_KEYS=keys, CLAUDE_PROXY_SPARES="0")
    try:
        browser.get(f"http://me:{SECRET}@127.0.0.1:{server.port}/")
        until(lambda: text(browser, "live") == "live", 10, "live page")
        ask(browser, "answer")
        until(lambda: text(browser, "talk").endswith("Hello world."), 8, "answer")
        until(lambda: "laptop" in text(browser, "requests"), 5, "key's name")
        assert browser.find_element("id", "unknown").is_displayed()  # no process waits that could be asked
        assert "YOUR-KEY" in browser.page_source
        assert SECRET not in browser.page_source
        assert SECRET not in server.log
        assert browser.get_cookies() == []
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 4  # an open page holds up no stop
        until(lambda: "trying again" in text(browser, "live"), 5, "word of it")
    finally:
        server.kill()
