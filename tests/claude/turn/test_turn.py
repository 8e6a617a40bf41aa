"""A turn that one process does not answer goes on with another, and is charged for both."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from app.cancellation import Cancellation
from app.claude.cli.account import Bill
from app.claude.cli.extra_usage import ExtraUsageFile, ExtraUsageGuard
from app.claude.shelf.shelf import Taken
from app.claude.turn.slots import Slots
from app.claude.turn.turn import Turn
from app.conversation import Conversation
from app.errors import ClientGone, Overloaded
from app.events import TurnEnd, Usage
from claude import cli_lines as cli
from claude.turn.test_attempt import FakeProcess, say, waiting_on


def told(dollars, answers, **more):
    """A result, and what its process has used in its life: so many answers."""
    used = {"m": {"inputTokens": 10 * answers, "outputTokens": answers}}
    usage = {"input_tokens": 10, "output_tokens": 1} if not more else {}
    return cli.result("Hello", **{"usage": usage, "modelUsage": used, "total_cost_usd": dollars, **more})


REFUSED = {"is_error": True, "api_error_status": 529, "result": "API Error: 529 Overloaded"}


class FakeProcesses:
    """Gives these processes, one after the other, and keeps what comes back; all else does nothing."""

    def __init__(self, tmp_path, *waiting):
        self.waiting, self.asked, self.back = list(waiting), [], []
        self.extra_usage = ExtraUsageGuard("allow", ExtraUsageFile(tmp_path), str)
        self.shelf = SimpleNamespace(undoes=lambda _: False)
        self.login = SimpleNamespace(verified=lambda: None, note=lambda _: None)
        self.plan = SimpleNamespace(succeeded=lambda _: None)
        self.catalogue = SimpleNamespace(note=lambda _: None, update=lambda _: None)
        self.keeper = SimpleNamespace(wake=lambda **_: None)

    def take(self, conversation, digests, steps, failed):
        self.asked.append(conversation.model)
        return Taken(self.waiting.pop(0))

    def admit(self, model):
        pass

    def hear(self, model, limit):
        pass

    def part_with(self, waiting, what, cause, *, interrupted):
        self.back.append(waiting)


@pytest.fixture
def begin(tmp_path, settings):
    """Give a function that begins a turn on the first of these processes, with a fallback."""

    def start(*waiting):
        processes, slots = FakeProcesses(tmp_path, *waiting), Slots(1, 0)
        conversation = Conversation("sonnet", "", (say("user", "Hello?"),), fallback=("opus",))
        turn = Turn(
            conversation, client="", preparation=None, cancellation=Cancellation(), settings=settings(), slots=slots,
            processes=processes, over=lambda _: None,
        )  # fmt: skip
        return turn, processes, slots

    return start


def test_price_of_calls_before(begin):
    """What a refusal tells of the cost of the calls before it is not lost where another model answers."""
    refusing = waiting_on(FakeProcess([told(0.5, 1, **REFUSED)]))
    answering = waiting_on(FakeProcess([*cli.message("Hello"), told(0.25, 1)]))
    calls = Bill()
    calls.count(Usage(10, 1))
    refusing.channel.account.open(calls)
    turn, processes, slots = begin(refusing, answering)
    events = [event for batch in turn for event in batch]
    assert isinstance(events[-1], TurnEnd)
    assert (processes.asked, turn.usage, turn.dollars) == (["sonnet", "opus"], Usage(10, 1), 0.75)
    assert (processes.back, slots.running) == ([refusing, answering], 0)


def test_nobody_answers(begin):
    """Where the other refuses as well, both processes and the slot are given back, and the first refusal is told."""
    refusing = [waiting_on(FakeProcess([told(0.0, 0, **REFUSED)])) for _ in range(2)]
    turn, processes, slots = begin(*refusing)
    with pytest.raises(Overloaded):
        list(turn)
    assert (processes.asked, processes.back, slots.running) == (["sonnet", "opus"], refusing, 0)


def test_slot_whatever_fails(begin):
    """Where a process cannot be given back, the slot is all the same."""
    refusing = waiting_on(FakeProcess([cli.failed("API Error: 400", api_error_status=400)]))
    turn, processes, slots = begin(refusing)

    def fail(*_, **__):
        raise RuntimeError("can't start new thread")

    processes.part_with = fail
    with pytest.raises(RuntimeError):
        list(turn)
    assert (processes.asked, slots.running) == (["sonnet"], 0)


def test_client_that_leaves(begin):
    """A client that leaves with the refusal has no other model asked."""
    refusing = waiting_on(FakeProcess([], [told(0.0, 0, **REFUSED)]))
    turn, processes, slots = begin(refusing)
    batches = iter(turn)
    next(batches)
    processes.registry = SimpleNamespace(dispose=lambda *_, **__: None)
    turn.cancellation.cancel(ClientGone("The client left."))
    with pytest.raises(ClientGone):
        list(batches)
    assert (processes.asked, processes.back, slots.running) == (["sonnet"], [refusing], 0)
