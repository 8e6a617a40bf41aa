"""The stand-in of the Messages API that all tests of a run share: what it answers, and that each test leaves it so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from app.standin import Reply, StandIn, Text
from app.standin.stream import input_tokens


def three_words(_: dict[str, Any]) -> Reply:
    """The answer where a test asks for no other."""
    return Reply((Text(["One ", "two ", "three."]),))


def forget(api: StandIn) -> None:
    """Drop what a stand-in has recorded."""
    for record in (api.requests, api.messages, api.rejected):
        record.clear()


@contextlib.contextmanager
def lend(api: StandIn) -> Iterator[StandIn]:
    """Lend a stand-in to one test, which may change its replies: who asks it after the test finds them as before.

    The next to ask may be a server that a whole module shares: its fixture is made before any fixture of a test.
    """
    forget(api)
    try:
        yield api
    finally:
        api.reply, api.count = three_words, input_tokens
