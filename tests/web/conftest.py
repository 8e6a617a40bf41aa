"""What an open page is told."""

from __future__ import annotations

import json
import threading

import pytest

from app.web.page_feed import PAGE_FEED


@pytest.fixture
def news(app):
    """Give the news of the application: a function that returns what is told next."""
    gone = threading.Event()
    told = app.extensions[PAGE_FEED].news(gone, None)

    def following():
        for data in told:
            if data.startswith(b"data: "):
                return json.loads(data[6:])
        return None

    yield following
    gone.set()
    told.close()
