"""What a process says it used, in sums over its life, is put down to the right turns, once."""

from __future__ import annotations

import pytest

from app.backend import Correction
from app.claude.cli.account import Account, Bill
from app.claude.cli.incoming import ModelUse, OutputDetails, Result, UsageLine
from app.events import Usage


def result(answers, dollars, turn=1, **more):
    """A result after so many answers of the process's life, `turn` of them in the turn that ends."""
    used = ModelUse(
        input_tokens=10 * answers, output_tokens=answers, cache_read_input_tokens=0, cache_creation_input_tokens=0
    )
    return Result(usage=UsageLine(10 * turn, turn, 0, 0), model_usage={"m": used}, total_cost_usd=dollars, **more)


@pytest.fixture
def account():
    return Account()


def opened(account):
    bill = Bill()
    account.open(bill)
    return bill


def test_differences(account):
    """A turn is charged what the sums have grown by."""
    for number in range(1, 4):
        bill = opened(account)
        assert account.settle(result(number, number * 0.5)).usage.input_tokens == 10
        assert (bill.usage, bill.dollars) == (Usage(10, 1), 0.5)


def test_a_session_that_goes_on(account):
    """What a session used before this process is nobody's here."""
    account.go_on(Usage(30, 3), 1.5)
    bill = opened(account)
    assert account.settle(result(4, 2.0)).usage.input_tokens == 10
    assert (bill.usage, bill.dollars) == (Usage(10, 1), 0.5)


def test_calls_for_the_client(account):
    """A turn that ended with calls keeps its tokens; its dollars come with the turn that brings the results."""
    first = opened(account)
    first.count(Usage(10, 1))
    later = []
    first.close(later.append)
    second = opened(account)
    assert account.settle(result(2, 1.0, turn=2)).usage == UsageLine(10, 1, 0, 0, OutputDetails(0))
    assert (second.usage, second.dollars) == (Usage(10, 1), 1.0)
    assert later == [Correction(Usage(), 0.0, priced=True)]
    assert first.usage == Usage(10, 1)


def test_not_answered(account):
    """Where a process that waited for results is refused an answer, who answers instead has the calls' dollars, too."""
    calls = opened(account)
    calls.count(Usage(10, 1))
    calls.close(lambda _: None)
    refused = opened(account)
    account.settle(result(1, 0.5, turn=0, is_error=True))
    assert (refused.usage, refused.dollars) == (Usage(), 0.5)
    other, later = Account(), []
    answering = Bill()
    answering.go_on(refused)
    other.open(answering)
    other.settle(result(1, 0.25))
    assert (answering.usage, answering.dollars) == (Usage(10, 1), 0.75)
    parked = Bill()
    parked.go_on(refused)
    other.open(parked)
    parked.count(Usage(10, 1))
    parked.close(later.append)
    opened(other)
    other.settle(result(3, 1.0, turn=2))
    assert (parked.dollars, later) == (0.5, [])  # it had a price before


def test_undone(account):
    """What an interrupted turn has used is told when the CLI says it, after the turn's end."""
    bill, later = opened(account), []
    bill.count(Usage(10, 0))
    bill.close(later.append)
    account.settle(result(1, 0.25, turn=0, is_error=True))
    assert later == [Correction(Usage(0, 1), 0.25, priced=True)]
    assert (bill.usage, bill.dollars) == (Usage(10, 0), None)
    nxt = opened(account)
    account.settle(result(2, 0.75))
    assert nxt.dollars == 0.5
    assert len(later) == 1


def test_asked_twice(account):
    """A turn that asks the model once more, as its answer did not fit, is charged both times."""
    bill = opened(account)
    account.settle(result(1, 0.5))
    assert account.settle(result(2, 1.0)).usage.input_tokens == 20
    assert (bill.usage, bill.dollars) == (Usage(20, 2), 1.0)


def test_acknowledgements(account):
    """The result of a line that asks nothing settles nothing."""
    opened(account)
    account.settle(result(1, 0.5))
    bill = opened(account)
    told = result(1, 0.5, turn=0)
    assert account.settle(told) is told
    assert bill.dollars is None


def test_versions_that_do_not_say(account):
    """Without sums a turn's own count is taken, less what was told of it before, and it is not priced."""
    first, line = opened(account), UsageLine(30, 3, 0, 0)
    first.count(Usage(10, 1))
    second = opened(account)
    account.settle(Result(usage=line))
    assert (second.usage, second.dollars) == (Usage(20, 2), None)
    later = []
    second.close(later.append)
    opened(account)
    account.settle(Result(usage=line))
    assert later == []


def test_sums_that_begin_anew(account):
    """A sum that is less than before is what was used since; nothing is ever charged below zero."""
    opened(account)
    account.settle(result(5, 5.0))
    bill = opened(account)
    account.settle(result(1, 0.5))
    assert (bill.usage, bill.dollars) == (Usage(10, 1), 0.5)
