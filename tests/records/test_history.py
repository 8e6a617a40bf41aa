"""What is remembered of requests: bounded, and once."""

from __future__ import annotations

from fake_backend import FakeTurn

from app.backend import Correction
from app.cancellation import Cancellation
from app.errors import BadRequest, Overloaded
from app.events import Usage
from app.records.history import History
from app.records.record import MAX_WORDS, Caller, RequestRecord


def record(code=None):
    made = RequestRecord("/v1/chat/completions")
    made.caller, made.code, made.turns = Caller(), code, ()
    return made


def test_bounded():
    """However many there are, so many are kept, the latest first."""
    history = History()
    records = [record("overloaded") for _ in range(500)]
    for made in records:
        history.begin(made)
        history.end(made)
    assert [facts.id for facts in history.turns()] == [made.id for made in records[:449:-1]]
    assert len(history.errors()) == 10


def test_once():
    """Each end is told once, and neither a reader nor a hold that fails harms another."""
    told = []
    history = History(lambda summary: 1 / 0, told.append)
    made = record()
    made.on_end(lambda: 1 / 0)
    history.begin(made)
    history.end(made)
    history.end(made)
    assert [facts.id for facts in told] == [made.id]


def test_later():
    """What is found out after a request's end is told with the request, and changes nothing that was told."""
    told, later = [], []
    history = History(told.append, later=lambda summary, more: later.append((summary.id, more)))
    made, turn = record(), FakeTurn(Cancellation(), None)
    turn.usage, turn.model = Usage(3, 4), "m"
    made.turns = (turn,)
    history.begin(made)
    history.end(made)
    assert (told[0].input_tokens, told[0].dollars, told[0].unpriced) == (3, 0, 1)
    turn.later(Correction(Usage(), 0.5, priced=True))
    assert later == [(made.id, Correction(Usage(), 0.5, priced=True))]


def test_words():
    """An error is remembered with its words, as far as these quote nobody, and not at any length."""
    history = History()
    quoting, plain = BadRequest("SECRET is no role", code="invalid_value"), Overloaded("The API is overloaded. " * 100)
    for error in (quoting, plain):
        made, turn = record(), FakeTurn(Cancellation(), None)
        turn.note(error)
        made.turns, made.asked = (turn,), "sonnet"
        history.begin(made)
        history.end(made)
    last, first = history.errors()
    assert first["message"] == "The request is malformed; the client was told where."
    assert last["message"] == plain.message[:MAX_WORDS]
    assert (last["model"], last["route"]) == ("sonnet", "/v1/chat/completions")
