"""Many conversations at once: whatever happens, the model is told exactly what its client has."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from server import Server
from talk import Talk, told

from app.standin import Reply, StandIn, Text

WORDS = st.sampled_from(["Go on", "Why?"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["ask", "edit", "twice", "branch", "both"]), st.integers(0, 2), WORDS),
        st.tuples(st.just("new"), st.integers(0, 2), st.just("Hello")),
    ),
    min_size=6,
    max_size=10,
)


@pytest.fixture(scope="module")
def server(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_PROXY_KEEP="3", CLAUDE_PROXY_SPARES="2", CLAUDE_PROXY_MAX_CONCURRENCY="4")
    yield server
    server.kill()


class Witness:
    """Answers each request with a number of its own, and remembers the conversation it was the answer to."""

    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[str, str]]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> Reply:
        with self._lock:
            answer = f"Answer {next(self._numbers)}."
            self.heard[answer] = told(body)
        return Reply((Text([answer]),))

    def check(self, talk: Talk) -> None:
        """Fail unless the last answer of a conversation answers just that conversation."""
        said = [(message["role"], message["content"]) for message in talk.messages]
        assert self.heard.pop(said[-1][1]) == said[:-1]


def take(step: str, talks: list[Talk], number: int, words: str) -> list[Talk]:
    """Do one step of a client; return the conversations that got an answer."""
    talk = talks[number]
    twin = Talk(talk.server)
    twin.messages = [dict(message) for message in talk.messages]
    others = [talks[(number + 1) % 3]]
    if step == "new":
        talk.messages.clear()
    elif step == "edit" and talk.messages:
        talk.messages[-1]["content"] += " (edited)"
    elif step == "branch":
        others = []
        talks[(number + 1) % 3] = twin
    asked = {"twice": [talk, twin], "both": [talk, *others]}.get(step, [talk])
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda one: one.ask(words), asked))
    return asked


@hypothesis.given(steps=STEPS)
@hypothesis.settings(
    max_examples=3, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_interleaved_conversations(server: Server, standin: StandIn, steps: list[tuple[str, int, str]]) -> None:
    """Edits, branches, equal openings with different answers and duplicates at once: no client gets another's."""
    standin.reply = witness = Witness()
    talks = [Talk(server) for _ in range(3)]
    for step, number, words in steps:
        for talk in take(step, talks, number, words):
            witness.check(talk)
    assert witness.heard == {}
