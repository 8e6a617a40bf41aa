"""The status page's stream in a running server: closed with its page, and no hindrance to the server's end."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

import pytest
from conftest import FAKE_CLAUDE
from server import Server, read_to_end, read_until, until

from app.web.page_feed import MAX_PAGES

ASK = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def page(serve: Callable[..., Server]) -> Server:
    return serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0")


def test_open_pages(page: Server) -> None:
    """Open pages are bounded, one that leaves makes room at once, and the rest end cleanly and soon with the server."""
    with contextlib.ExitStack() as stack:

        def opened() -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", page.port), timeout=10)
            stack.callback(connection.close)
            connection.sendall(ASK)
            return connection

        pages = [opened() for _ in range(MAX_PAGES)]
        for connection in pages:
            read_until(connection, b'"turns"')
        status, headers, _ = page.request("GET", "/events")
        assert (status, headers["retry-after"]) == (429, "30")
        pages.pop().close()
        # A page that gets in is not read to its end, which would not come.
        until(lambda: b"200 OK" in read_until(opened(), b"\r\n"), 3, "room")
        began = time.monotonic()
        assert page.stop() == 0
        assert time.monotonic() - began < 8
        assert read_to_end(pages[0]).endswith(b"0\r\n\r\n")
    assert "Traceback" not in page.log
