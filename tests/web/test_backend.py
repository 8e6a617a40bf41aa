"""The web in front of a backend: what it asks of it, and what it makes of the answers."""

from __future__ import annotations

import threading

import pytest

from app.errors import CliFailed, PlanLimit
from app.web.page_feed import PAGE_FEED
from app.web.state import state

QUESTION = {"model": "sonnet", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def client(fronted):
    return fronted.test_client()


def test_whole_answer(client, backend, fronted):
    """A question becomes one turn, which is closed with its answer and told in the record."""
    with client.post("/v1/chat/completions", json=QUESTION) as response:
        assert response.json["choices"][0]["message"]["content"] == "Hello"
        assert response.headers["x-proxy-served"] == "spare"
    assert [turn.closed for turn in backend.turns] == [True]
    (summary,) = state(fronted).history.turns()
    assert (summary.model, summary.input_tokens, summary.output_tokens, summary.stop) == (
        "claude-fake-1", 3, 4, "end_turn",
    )  # fmt: skip


def test_stream(client, backend):
    """A stream is a turn that is closed when the stream is."""
    response = client.post("/v1/chat/completions", json={**QUESTION, "stream": True})
    assert not backend.turns[0].closed
    assert response.data.endswith(b"data: [DONE]\n\n")
    response.close()
    assert backend.turns[0].closed


def test_several_answers(client, backend):
    """Several answers are several turns of one client."""
    with client.post("/v1/chat/completions", json={**QUESTION, "n": 3}) as response:
        assert len(response.json["choices"]) == 3
    assert len(backend.asked) == 3
    assert len({client for _, client in backend.asked}) == 1


def test_refusal(client, backend, fronted):
    """What the backend does not admit gets its reason, and no turn is run; it counts as a turn that failed."""
    backend.refusal = PlanLimit("Used up.", retry_after=77)
    with client.post("/v1/chat/completions", json=QUESTION) as response:
        assert (response.status_code, response.headers["Retry-After"]) == (429, "77")
    assert backend.turns == []
    assert [turn.code for turn in state(fronted).history.turns()] == [PlanLimit.code]


@pytest.mark.parametrize("stream", [False, True])
def test_failure(client, backend, fronted, stream):
    """A turn that fails in its midst is told as an error, in the status or in the stream, and closed."""
    backend.error = CliFailed("It broke.", code="cli_exited")
    with client.post("/v1/chat/completions", json={**QUESTION, "stream": stream}) as response:
        assert response.status_code == (200 if stream else 502)
        assert b"cli_exited" in response.data
    assert backend.turns[0].closed
    assert [error["code"] for error in state(fronted).history.errors()] == ["cli_exited"]


def test_client_that_left(client, backend, fronted):
    """A stream that is closed before its end cancels its turn, as one whose client left."""
    client.post("/v1/chat/completions", json={**QUESTION, "stream": True}).close()
    assert backend.turns[0].cancellation.reason.code == "client_gone"
    assert [turn.cancelled for turn in state(fronted).history.turns()] == ["client_gone"]
    assert state(fronted).history.errors() == []


def test_news_end_with_the_backend(fronted, backend):
    """A backend that drains ends the page's news."""
    backend.draining = True
    assert list(fronted.extensions[PAGE_FEED].news(threading.Event(), None)) == [b"retry: 2000\n\n"]


def test_opened_once(client, backend):
    """The backend is opened with the first request that needs it, and only then."""
    assert backend.opened == 0
    for _ in range(3):
        client.get("/v1/models").close()
    assert backend.opened == 1


@pytest.mark.parametrize(
    ("header", "show", "ignored"),
    [(None, "none", None), ("steps", "steps", None), (" Names", "names", None), ("all", "none", "x-proxy-show")],
)
def test_what_is_shown(client, backend, header, show, ignored):
    """A client says how much of an agent's work it wants to see; a word that is none has no effect, and is named."""
    response = client.post("/v1/chat/completions", json=QUESTION, headers={"X-Proxy-Show": header} if header else {})
    assert response.status_code == 200
    assert backend.asked[-1][0].show == show
    assert response.headers.get("x-proxy-ignored") == ignored
