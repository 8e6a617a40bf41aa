"""The status page in a real browser: what it shows, that it stays live and truthful, and that everybody can use it."""

from __future__ import annotations

import functools
import http.client
import http.server
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hermetic
import npm
import pytest
from conftest import FAKE_CLAUDE
from msgspec.structs import replace
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from server import Server, until

from app import hosts
from app.backend import Extra, Window
from app.claude.cli.extra_usage import ExtraUsageFile
from app.hosts import Host
from app.keys.file import KeyFile
from app.keys.terms import Terms
from app.ledger.entry import Entry
from app.ledger.ledger import Ledger
from app.ledger.sqlite import SqliteLedger
from app.postgres.database import Postgres
from tests.postgres.engine import Engine, folder_of_programs

pytestmark = pytest.mark.timeout(120 + npm.INSTALL_TIMEOUT)

AXE = Path(__file__).parent / "axe"
VIEWS = [(390, "light"), (390, "dark"), (1400, "light"), (1400, "dark")]
# What a model may write, and what must come of it.
MARKDOWN = """say # A title
Some **bold** words, `code`, <b onclick="alert(1)">markup</b>, [a link](https://example.org) and
[none](javascript:alert(1)).

```python
print("one")
```

| a | b |
|---|---|
| 1 | 2 |

<img src=x onerror="window.pwned = 1">![](http://192.0.2.1/x.png)
"""
# A picture of one point.
POINT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def two_weeks(state: Path) -> None:
    """Put two weeks of made-up use into the ledger of a server that has not begun."""
    chance = random.Random(17)
    ledger = Ledger(SqliteLedger(state / "usage.db"), 30, 730)
    models = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5-20251001")
    keys = ("laptop", "phone", "open-webui-on-the-home-server", "ci", "")
    for number in range(1000):
        key, model = chance.choices(keys, (5, 1, 3, 2, 1))[0], chance.choices(models, (1, 4, 2))[0]
        failed = chance.random() < 0.03
        ledger.note(
            Entry(
                request=f"made-up-{number}",
                at=time.time() - chance.random() ** 2 * 14 * 86400,
                key=key,
                owner=key and f"{key}.1",
                client="OpenAI/Python",
                model="" if failed else model,
                status=503 if failed else 200,
                code="overloaded" if failed else "",
                input_tokens=0 if failed else chance.randrange(50, 4000),
                output_tokens=0 if failed else chance.randrange(20, 3000),
                cache_read_tokens=0 if failed else chance.randrange(90_000),
                ttft_ms=None if failed else chance.randrange(200, 2000),
                cache_write_tokens=0 if failed else chance.randrange(6000),
                dollars=0 if failed else chance.random() * 0.2,
                unpriced=int(not failed and chance.random() < 0.01),
            )
        )
    ledger.close()


@pytest.fixture(scope="module")
def used(
    session_serve: Callable[..., Server], chromium: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server without keys, with two weeks of use behind it, of a plan of which something is known."""
    state = tmp_path_factory.mktemp("used") / "state"
    state.mkdir(mode=0o700)
    two_weeks(state)
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_KEEP="0", CLAUDE_PROXY_STATE_DIR=str(state))
    server.chat("answer")
    server.chat("crash")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def bounded(
    session_serve: Callable[..., Server], chromium: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str]]:
    """A server whose keys have budgets, and where extra usage pays; with the key of an admin."""
    state = tmp_path_factory.mktemp("bounded") / "state"
    state.mkdir(mode=0o700)
    file = KeyFile(state)
    admin = file.add("laptop")
    file.add("bot-on-the-home-server", Terms(tokens_per_day=2_000_000, requests_per_week=1, dollars_per_week=5))
    now = time.time()
    ExtraUsageFile(state).write({("five_hour", "all"): Extra("five_hour", "all", now, now + 3600)})
    given = {"CLAUDE_PROXY_STATE_DIR": str(state), "CLAUDE_PROXY_ADMIN_KEYS": "laptop"}
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_KEEP="0", **given)
    yield server, admin
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
def sound(browser: webdriver.Chrome, view: Callable[[int, str], None], axe: str) -> Callable[[], None]:
    """Give a function that fails unless the page that is open is sound on a phone and wide, light and dark.

    Nothing is cut off, and nothing is serious to axe.
    """

    def look() -> None:
        browser.execute_script(axe)
        for width, scheme in VIEWS:
            view(width, scheme)
            background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, background[4:-1].split(","))) < 3 * 128) is (scheme == "dark")
            assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), (width, scheme)
            run = "axe.run({resultTypes: ['violations']}).then(arguments[0], error => arguments[0](String(error)))"
            found = browser.execute_async_script(run)
            assert found["passes"]
            serious = [broken for broken in found["violations"] if broken["impact"] in {"serious", "critical"}]
            told = [(broken["id"], [node["target"] for node in broken["nodes"]]) for broken in serious]
            assert (width, scheme, told) == (width, scheme, [])

    return look


@pytest.fixture
def page(browser: webdriver.Chrome, used: Server) -> webdriver.Chrome:
    """The page, live, its chat empty."""
    opened(browser, used.url)
    browser.execute_script("sessionStorage.clear()")
    return opened(browser, used.url)


def opened(browser: webdriver.Chrome, url: str) -> webdriver.Chrome:
    browser.get(f"{url}/")
    until(lambda: text(browser, "live") == "live", 20, "live page")
    return browser


def text(browser: webdriver.Chrome, name: str) -> str:
    return browser.find_element("id", name).text


def told(browser: webdriver.Chrome, name: str, words: str, seconds: float = 10) -> None:
    """Return once an element's text has these words."""
    until(lambda: words in text(browser, name), seconds, words)


def ask(browser: webdriver.Chrome, question: str) -> None:
    browser.execute_script("document.getElementById('question').value = arguments[0]", question)
    browser.find_element("id", "send").click()


def open_all(browser: webdriver.Chrome) -> None:
    browser.execute_script(
        "for (const part of document.querySelectorAll('details:not([name])')) part.open = true;"
        "document.querySelector('details[name]').open = true;"
    )


# The states


def test_used(page: webdriver.Chrome, used: Server, sound: Callable[[], None]) -> None:
    """A server in use: what it is, who pays, what is left, what it answered and what that was worth; all parts open."""
    assert page.title == "Ready · claude-max-api-proxy"
    used.chat("crash")  # the latest, whatever other tests have asked
    told(page, "requests", "cli_exited")
    told(page, "plan", "25 % used")
    told(page, "worth", "The plan (Max) costs $100 or $200 a month")
    told(page, "plan", "Estimate:")
    told(page, "last-error", "/v1/chat/completions · sonnet · cli_exited\nThe claude CLI ended")
    assert text(page, "payer") == "Paid by your Max plan"
    use = text(page, "use")
    for word in ("Today", "Last 30 days", "Opus 5.5", "at list price", "% of them cached", "open-webui-on-the-home"):
        assert word in use
    assert len(page.find_elements("css selector", ".chart rect.good, .chart rect.first")) > 9
    ask(page, MARKDOWN)
    told(page, "told", "1 token in")
    open_all(page)
    for word in ("Parked", "wait for what a client's tools find out"):
        assert word in text(page, "processes")
    sound()
    assert page.get_log("browser") == []


def test_logged_out(session_serve: Callable[..., Server], browser: webdriver.Chrome, sound: Callable[[], None]) -> None:
    """A new server whose claude has no login says what to do first, and what will stand where nothing is yet."""
    passed = {"CLAUDE_PROXY_PASS_ENV": f"{hermetic.PASSED},FAKE_LOGGED_OUT", "FAKE_LOGGED_OUT": "1"}
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0", **passed)
    try:
        opened(browser, server.url)
        assert browser.title == "Not ready · claude-max-api-proxy"
        assert "claude-max-api login" in text(browser, "login")
        assert "There will be a bar here" in text(browser, "unknown")
        assert "will stand here" in text(browser, "none")
        assert "will stand here" in text(browser, "unused")
        sound()
    finally:
        server.kill()


def test_limited(browser: webdriver.Chrome, bounded: tuple[Server, str], sound: Callable[[], None]) -> None:
    """A plan that is used up: who pays, what each key has left, and a button to accept it, which then goes."""
    server, admin = bounded
    opened(browser, f"http://me:{admin}@127.0.0.1:{server.port}")
    rows = [row.text.replace("\n", " ") for row in browser.find_elements("css selector", "#budgets tr")]
    assert len(rows) == 3
    assert "2,000,000 tokens" in rows[0]
    assert "$5.00" in rows[2]
    assert "was billed as extra usage" in text(browser, "extra")
    sound()
    browser.find_element("id", "resume").click()
    until(lambda: not browser.find_element("id", "resuming").is_displayed(), 10, "acceptance")
    told(browser, "extra", "go on, and are billed")


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL that two other hosts have told of themselves."""
    if folder_of_programs() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        engine = Engine(Path(folder))
        engine.start()
        five, week = Window(42.0, time.time() + 7000, "allowed", 1e9), Window(7.0, 4e9, None, 1e9)
        beta = Host(
            name="beta.lab.example.org", port=3456, worker=1, version="0.1.0", cli="2.1.330", running=3, queued=1,
            shelf=5, plan="max", windows={"five_hour": five, "seven_day": week}, login="0123456789abcdef",
            since=time.time() - 9000,
        )  # fmt: skip
        gamma = replace(beta, name="gamma", reason="claude is not logged in; run `claude-max-api login`.", login=None)
        url = engine.create()
        there = Postgres(url)
        for host in (beta, gamma, replace(beta, name="delta")):
            there.do(functools.partial(hosts.tell, host=host))
        there.do(lambda db: db.execute("UPDATE hosts SET seen = now() - interval '1 hour' WHERE name = 'delta'"))
        # The others keep telling: for as long as this takes.
        there.do(lambda db: db.execute("UPDATE hosts SET seen = now() + interval '1 hour' WHERE name <> 'delta'"))
        there.close()
        yield url
        engine.stop()


def test_hosts(
    session_serve: Callable[..., Server], browser: webdriver.Chrome, database: str, sound: Callable[[], None]
) -> None:
    """Where several hosts share a database, each is there with what it does, and why it does not."""
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0", CLAUDE_PROXY_DATABASE=database)
    try:
        opened(browser, server.url)
        until(lambda: len(browser.find_elements("css selector", "#hosts tr")) == 4, 20, "four hosts")
        rows = [row.text.replace("\n", " ") for row in browser.find_elements("css selector", "#hosts tr")]
        said = {row.partition(" ")[0]: row for row in rows}
        assert "3 running, 1 waiting, 5 on the shelf" in said["beta.lab.example.org:3456"]
        assert "Max: five hours 42 %, week 7 %" in said["beta.lab.example.org:3456"]
        assert "0123456789abcdef" in said["beta.lab.example.org:3456"]
        assert "not ready claude is not logged in" in said["gamma:3456"]
        assert "gone last seen" in said["delta:3456"]
        sound()
    finally:
        server.kill()


def test_demo(session_serve: Callable[..., Server], browser: webdriver.Chrome, sound: Callable[[], None]) -> None:
    """A demo says that it is one, who pays for it, and how to go on without it."""
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_DEMO="1", CLAUDE_PROXY_SPARES="0")
    try:
        opened(browser, server.url)
        assert browser.title == "Demo · Ready · claude-max-api-proxy"
        assert "no login is needed" in text(browser, "demo")
        assert text(browser, "payer") == "Nobody pays: this is a demo"
        sound()
    finally:
        server.kill()


def test_gone(session_serve: Callable[..., Server], browser: webdriver.Chrome, sound: Callable[[], None]) -> None:
    """When the server is gone the page says so, its chat too; when it is back, so is the page, by itself."""
    given = {"CLAUDE_BIN": str(FAKE_CLAUDE), "CLAUDE_PROXY_SPARES": "0"}
    server = session_serve(**given)
    try:
        opened(browser, server.url)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 8  # an open page holds up no stop
        told(browser, "verdict", "Not reachable", 20)
        assert browser.title == "Not reachable · claude-max-api-proxy"
        assert "not reachable" in text(browser, "chat-gone")
        assert not browser.find_element("id", "send").is_enabled()
        sound()
        server = session_serve(**given, PORT=str(server.port))
        told(browser, "verdict", "Ready", 30)
        assert browser.title == "Ready · claude-max-api-proxy"
        ask(browser, "answer")
        told(browser, "talk", "Hello world.")
    finally:
        server.kill()


class _Between(http.server.BaseHTTPRequestHandler):
    """Hands on what a server says to a person without a key, but for the question for one: nobody can answer that."""

    port = 0

    def do_GET(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", self.path, headers={"Accept": self.headers["Accept"]})
        response = connection.getresponse()
        body = response.read()
        self.send_response(200)
        for name in ("Content-Type", "Content-Security-Policy"):
            self.send_header(name, response.getheader(name, ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


def test_without_a_key(browser: webdriver.Chrome, bounded: tuple[Server, str], sound: Callable[[], None]) -> None:
    """Who cancels the question for a password reads what to do."""
    _Between.port = bounded[0].port
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Between) as between:
        threading.Thread(target=between.serve_forever, args=(0.05,)).start()
        browser.get(f"http://127.0.0.1:{between.server_port}/")
        assert browser.title == "A key is needed · claude-max-api-proxy"
        assert "the password is an API key" in browser.find_element("tag name", "main").text
        sound()
        assert browser.get_log("browser") == []
        between.shutdown()


# What it does


def test_live(page: webdriver.Chrome, used: Server) -> None:
    """A request that another client makes shows while it runs and when it has ended, without a reload."""
    with used.open_stream("slow"):
        told(page, "requests", "running")
        told(page, "running", "1 running")
    told(page, "requests", "client left")


def test_requests_open(page: webdriver.Chrome, used: Server, view: Callable[[int, str], None]) -> None:
    """Eight requests stand there, and more if one wants; a row opens, says how it was served, and stays open."""
    view(390, "light")
    for _ in range(8):
        used.chat("answer")
    rows = "return document.querySelectorAll('#requests li').length"
    until(lambda: page.execute_script(rows) == 8, 10, "eight rows")
    page.find_element("id", "more").click()
    assert page.execute_script(rows) > 8
    page.find_element("css selector", "#requests summary").click()
    opened_row = page.find_element("css selector", "#requests details[open]")
    until(lambda: "Answered by\nclaude-fake-1" in opened_row.text, 10, "the request's end")
    told_of_it = opened_row.text
    for word in ("Asked for\n", "Route\n/v1/chat", "id\nreq_", "in the queue"):
        assert word in told_of_it
    used.chat("answer")
    until(lambda: opened_row.find_elements("xpath", "../preceding-sibling::li"), 10, "new row")
    assert opened_row.get_property("open")


def test_charts_by_keyboard(page: webdriver.Chrome) -> None:
    """The charts' numbers can be had with the arrow keys, in each range."""
    moment = page.find_element("id", "moment")
    until(lambda: page.find_elements("css selector", "#chart-tokens rect.output"), 10, "bars")
    for choice, last in (("900", 59), ("3600", 59), ("86400", 95)):
        page.execute_script("document.querySelector(`[value='${arguments[0]}']`).click()", choice)
        moment.send_keys(Keys.END)
        assert moment.get_property("value") == str(last)
    moment.send_keys(Keys.ARROW_LEFT, Keys.ARROW_RIGHT)
    told(page, "readout", "first token")
    assert moment.get_attribute("aria-valuetext") == text(page, "readout")
    assert page.execute_script("return document.querySelectorAll('.cursor[visibility=visible]').length") == 3


def test_left_pages_hold_nothing(browser: webdriver.Chrome, used: Server) -> None:
    """A page that was left gives its connections back: a browser has six, and keeps pages to go back to."""
    for _ in range(7):
        ask(opened(browser, used.url), "hang")


def test_chat(page: webdriver.Chrome, used: Server) -> None:
    """The chat streams: its first words stand there while the answer goes on; a button ends it, here and there."""
    ask(page, "slow")
    told(page, "talk", "Hello")
    assert page.find_element("id", "stop").is_displayed()
    told(page, "talk", "Hello world.")
    told(page, "told", "1 token in, 2 out")
    since = len(used.log)
    ask(page, "hang")
    until(lambda: text(page, "talk").count("Hello") == 2, 10, "first words")
    page.find_element("id", "stop").click()
    told(page, "told", "Stopped.")
    until(lambda: "cancelled=client_gone" in used.log[since:], 10, "end of the turn")


def test_markdown(page: webdriver.Chrome) -> None:
    """An answer's Markdown is shown, its thinking folded; its HTML is text, and nothing of it runs."""
    page.find_element("id", "think").click()
    ask(page, MARKDOWN)
    until(lambda: page.find_elements("css selector", ".assistant td"), 10, "table")
    until(lambda: page.find_element("id", "send").is_displayed(), 10, "end")
    talk = page.find_element("id", "talk")
    names = ("h4", "strong", "pre code", "td", "a[href]")
    assert [len(talk.find_elements("css selector", f".words {name}")) for name in names] == [1, 1, 1, 2, 1]
    assert talk.find_elements("css selector", "b, img, [onclick], [onerror], script") == []
    assert page.execute_script("return window.pwned") is None
    thinking = talk.find_element("css selector", "details.thinking")
    assert (thinking.text, thinking.get_property("open")) == ("Thinking", False)
    assert thinking.find_element("tag name", "p").get_property("textContent") == "Hm."
    assert page.get_log("browser") == []


def test_reload(page: webdriver.Chrome, used: Server) -> None:
    """A failure is said in red where one looks; the talk is there after a reload, until one starts over."""
    ask(page, "crash-before")
    told(page, "talk", "claude CLI ended")
    colours = "return ['.failed', '#total-errors'].map(name => getComputedStyle(document.querySelector(name)).color)"
    assert len(set(page.execute_script(colours))) == 1
    ask(page, "answer")
    told(page, "talk", "Hello world.")
    until(lambda: page.find_element("id", "send").is_displayed(), 10, "end")
    opened(page, used.url)
    for words in ("crash-before", "claude CLI ended", "Hello world."):
        told(page, "talk", words)
    page.find_element("id", "anew").click()
    opened(page, used.url)
    assert not page.find_element("id", "talk").is_displayed()


def test_picture(page: webdriver.Chrome, run: Callable[..., Any]) -> None:
    """A picture that is pasted goes with the question."""
    paste = """
        const data = new DataTransfer(), bytes = Uint8Array.from(atob($0), letter => letter.charCodeAt(0));
        data.items.add(new File([bytes], "a.png", {type: "image/png"}));
        const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true});
        document.getElementById("question").dispatchEvent(event);
        const sent = [], fetching = window.fetch;
        window.fetch = (url, given) => { sent.push(given?.body); return fetching(url, given); };
        window.sent = sent;
    """
    run(paste, POINT)
    until(lambda: page.find_element("id", "picture").is_displayed(), 10, "picture")
    ask(page, "answer")
    told(page, "talk", "Hello world.")
    assert f"data:image/png;base64,{POINT}" in page.execute_script("return window.sent[0]")
    assert not page.find_element("id", "picture").is_displayed()


def test_policy(page: webdriver.Chrome, run: Callable[..., Any]) -> None:
    """The browser refuses foreign scripts, inline scripts and requests to elsewhere on this page."""
    script = "const s = document.createElement('script'); try { s.textContent = 'window.pwned = 1'; } catch {}; "
    run(script + "document.body.append(s);")
    assert page.execute_script("return window.pwned") is None
    assert "TypeError" in run("return await (await fetch('http://127.0.0.1:1/')).text()")["thrown"]
    assert "Content Security Policy" in str(page.get_log("browser"))


def test_keys(browser: webdriver.Chrome, bounded: tuple[Server, str]) -> None:
    """With keys the browser asks for one as a password; then the page is live; neither it nor the log has the key."""
    server, admin = bounded
    opened(browser, f"http://me:{admin}@127.0.0.1:{server.port}")
    assert "YOUR-KEY" in browser.page_source
    assert admin not in browser.page_source
    assert admin not in server.log
    assert browser.get_cookies() == []
