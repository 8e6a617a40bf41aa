"""The record of one request: what is read from it while it runs and at its end."""

from __future__ import annotations

from fake_backend import FakeTurn

from app.cancellation import Cancellation
from app.errors import ClientGone, CliFailed
from app.records.record import Caller, RequestRecord


def turn(error=None):
    return FakeTurn(Cancellation(), error)


def test_stranger():
    """Until it is known who asks, nobody is let in, nothing is a turn, and no figures are seen."""
    record = RequestRecord("/v1/x", "POST", "/v1/x")
    summary = record.summary()
    assert (summary.admitted, summary.turn, summary.running, summary.key) == (False, False, True, None)
    assert record.caller.view is not None
    record.caller = Caller(key="laptop", owner="laptop.1", client="laptop.1")
    assert (record.summary().admitted, record.summary().owner) == (True, "laptop.1")


def test_turns_are_added_up():
    """Several answers are one request: their tokens are added, and the soonest first token counts."""
    record = RequestRecord("/v1/x")
    record.turns = turns = [turn(), turn()]
    assert record.summary().turn
    for one in turns:
        list(one)
    turns[0].first_token_ms = 9
    summary = record.summary(running=False)
    assert (summary.input_tokens, summary.output_tokens, summary.ttft_ms, summary.stop) == (6, 8, 2, "end_turn")


def test_one_end():
    """A request ends once, however often it is told of."""
    record = RequestRecord("/v1/x")
    assert record.summary().ended_at is None
    first = record.summary(running=False).ended_at
    assert first is not None
    assert record.summary(running=False).ended_at == first


def test_another_model():
    """Where another model is asked than the one that was meant, that one is named."""
    record = RequestRecord("/v1/x")
    record.meant, record.turns = "opus", []
    assert record.summary().instead_of is None
    record.turns = [turn()]
    assert record.summary().instead_of == "opus"
    record.meant = "sonnet"
    assert record.summary().instead_of is None


def test_code():
    """A turn's error is the request's; else what cancelled it; else what the response says."""
    record = RequestRecord("/v1/x")
    record.code = "from_the_response"
    record.turns = turns = [turn(), turn()]
    assert record.summary().code == "from_the_response"
    turns[0].cancellation.cancel(ClientGone("It left."))
    assert (record.summary().code, record.summary().cancelled) == ("client_gone", "client_gone")
    turns[1].note(CliFailed("It broke.", code="cli_exited"))
    assert (record.summary().code, record.summary().cancelled) == ("cli_exited", "client_gone")


def test_a_long_name():
    """What a client calls a model is kept in part: its request is remembered long after its end."""
    record = RequestRecord("/v1/x")
    assert record.summary().asked is None
    record.asked = "x" * 1_000_000
    assert record.summary().asked == "x" * 100
