"""Chromium, started once for all tests and cut off from everything but this machine's loopback."""

from __future__ import annotations

import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium import webdriver

# Debian's and macOS's names of the program.
NAMES = ("chromium", "chromium-browser", "google-chrome")
# A proxy that is not there, for every host but loopback; and no names but loopback's, not for anyone.
CUT_OFF = (
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=127.0.0.1;localhost;[::1]",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE [::1]",
)
QUIET = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--window-size=1280,900",
)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """The browser, for `page` and for tests that need no page of their own; skips where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver brings it")
    home = tmp_path_factory.mktemp("chromium")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Chromium's sandbox refuses root, which containers are.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    for argument in (*QUIET, *CUT_OFF, *sandbox, f"--user-data-dir={home / 'profile'}"):
        options.add_argument(argument)
    # Both paths are given, so that Selenium has nothing to look up or to fetch.
    service = webdriver.ChromeService(driver, env={"PATH": os.environ["PATH"], "HOME": str(home)})
    browser = webdriver.Chrome(options, service)
    browser.set_page_load_timeout(20)
    browser.set_script_timeout(20)
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser as a test finds it: an empty page, nothing in its console, no cookie."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    yield chromium
    chromium.delete_all_cookies()


class _Page(http.server.BaseHTTPRequestHandler):
    """An empty page, whatever the path."""

    def do_GET(self) -> None:
        body = b"<!doctype html><html lang='en'><title>A page</title></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[int]:
    """The port of a web site that is not the server's, under the names 127.0.0.1 and localhost."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.05,))
        thread.start()
        yield web.server_port
        web.shutdown()
        thread.join()


@pytest.fixture
def run(browser: webdriver.Chrome) -> Callable[..., Any]:
    """Run JavaScript as the body of an async function in the page; return what it returns, or what it throws.

    `$0`, `$1` and so on are the arguments; what it throws comes as `{"thrown": "..."}`.
    """

    def execute(script: str, *arguments: Any) -> Any:
        names = ", ".join(f"${number}" for number in range(len(arguments)))
        return browser.execute_async_script(
            f"""const given = [...arguments], done = given.pop();
            (async ({names}) => {{ {script} }})(...given).then(done, error => done({{thrown: String(error)}}));""",
            *arguments,
        )

    return execute
