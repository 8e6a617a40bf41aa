"""What a key may use, and what is left of it."""

from __future__ import annotations

import flask
import pytest
from fake_backend import FakeBackend

from app.backend import PlanStatus, Window
from app.errors import KeyBudget, PlanReserved
from app.keys.key import Key
from app.keys.terms import Terms, period
from app.ledger.entry import Spent
from app.ledger.sums import Sums
from app.records.record import Caller, RequestSummary
from app.web.budgets import Budgets

NOW = 1_800_000_000.0
RESET = NOW + 3600


class Desk:
    """Budgets over sums in memory."""

    def __init__(self, **more):
        self.sums, self.backend, self.now, self.number = Sums(), FakeBackend(), NOW, 0
        self.budgets = Budgets(self.sums.since, self.backend, lambda model: model, clock=lambda: self.now, **more)

    def enter(self, model="opus", key="phone", **terms):
        self.number += 1
        name = f"req_{self.number}"
        self.budgets.enter(name, Caller(key=key, owner=f"{key}.1", terms=Terms(**terms)), model)
        return name

    def leave(self, name, owner="phone.1", **spent):
        self.sums.add(owner, self.now, Spent(requests=1, **spent))
        self.budgets.leave(RequestSummary(id=name, at=self.now, route="/", turn=True))

    def use(self, percent, window="five_hour", resets_at=RESET):
        self.backend.tell(plan=PlanStatus({window: Window(percent, resets_at, None, self.now)}, []))


@pytest.mark.parametrize(
    ("terms", "spent"),
    [
        ({"tokens_per_day": 100}, {"input_tokens": 40, "output_tokens": 30, "cache_read_tokens": 30}),
        ({"tokens_per_week": 100}, {"output_tokens": 250}),
        ({"requests_per_day": 1}, {}),
        ({"dollars_per_day": 0.5}, {"dollars": 0.5}),
        ({"dollars_per_week": 0.5}, {"dollars": 0.7}),
    ],
)  # fmt: skip
def test_used_up(terms, spent):
    """What is used up is refused until its period ends, in so many seconds; then it begins anew."""
    desk = Desk()
    desk.leave(desk.enter(**terms), **spent)
    with pytest.raises(KeyBudget) as refused:
        desk.enter(**terms)
    (name,) = terms
    ends = period(name.rpartition("_")[2], NOW)[1]
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "key_budget", ends - NOW)
    assert "phone has used its" in refused.value.message
    desk.enter(key="other", **terms)
    desk.now = ends
    desk.enter(**terms)


def test_several_used_up():
    """Where several budgets are used up a client is told when the last of them begins anew: before that none helps."""
    desk, terms = Desk(reserve=0.2), {"tokens_per_day": 100, "tokens_per_week": 200, "requests_per_day": 9}
    desk.leave(desk.enter(**terms), output_tokens=300)
    with pytest.raises(KeyBudget, match="200 tokens of the week") as refused:
        desk.enter(**terms)
    assert refused.value.retry_after == period("week", NOW)[1] - NOW
    app = flask.Flask(__name__)
    with app.app_context():
        flask.g.record = type("Record", (), {"caller": Caller(key="phone", owner="phone.1", terms=Terms(**terms))})()
        assert desk.budgets.mark(flask.Response()).headers["x-ratelimit-limit-tokens"] == "200"
    windows = {"five_hour": Window(90.0, RESET, None, NOW), "seven_day": Window(85.0, RESET + 86400, None, NOW)}
    desk.backend.tell(plan=PlanStatus(windows, []))
    with pytest.raises(PlanReserved, match="week") as refused:
        desk.enter()
    assert refused.value.retry_after == 3600 + 86400


@pytest.mark.parametrize(
    ("own", "used"),
    [
        (Spent(3, dollars=0.2, unpriced=1), 0.3),
        (Spent(2, unpriced=2), 2 * 0.25),
        (Spent(1, dollars=0.2), 0.2),
    ],
)  # fmt: skip
def test_turns_without_a_price(own, used):
    """They count as the key's others on average, where it has none as everybody's: nobody asks for nothing."""
    desk = Desk()
    desk.sums.add("other.1", NOW, Spent(2, dollars=0.5))
    everybody = desk.sums.since(None, NOW)
    assert everybody.likely_dollars(everybody) == 0.5
    desk.sums.add("phone.1", NOW, own)
    (left,) = desk.budgets.left("phone.1", Terms(dollars_per_day=1.0))
    assert left.most - left.left == pytest.approx(used)


def test_running_requests_count():
    """Requests that run are among those that were made: at once no more begin than are left."""
    desk = Desk()
    first = [desk.enter(requests_per_day=3) for _ in range(3)]
    with pytest.raises(KeyBudget):
        desk.enter(requests_per_day=3)
    desk.leave(first[0])
    with pytest.raises(KeyBudget):
        desk.enter(requests_per_day=3)
    desk.budgets.leave(RequestSummary(id="req_of_no_key", at=NOW, route="/", turn=True))
    (left,) = desk.budgets.left("phone.1", Terms(requests_per_day=5))
    assert left.left == 2


def test_share():
    """A share of the plan's window is what its figure has risen by, by the list price of what the key asked."""
    desk = Desk()
    desk.use(40.0)  # used elsewhere, before
    desk.leave(desk.enter(share=0.1), dollars=1.0)
    desk.leave("x", owner="other.1", dollars=3.0)
    desk.use(60.0)
    (left,) = desk.budgets.left("phone.1", Terms(share=0.1))
    assert (round(left.left, 6), left.resets_at) == (5.0, RESET)
    desk.leave(desk.enter(share=0.1), dollars=1.0)
    desk.use(65.0)
    with pytest.raises(KeyBudget) as refused:
        desk.enter(share=0.1)
    assert refused.value.retry_after == 3600
    assert "10 per cent of the plan's five hours" in refused.value.message
    desk.use(1.0, resets_at=RESET + 18000)
    desk.now = RESET + 1
    desk.enter(share=0.1)


def test_unknown_window():
    """Where the plan's figures are not known, a share holds nobody back."""
    desk = Desk()
    desk.leave(desk.enter(share=0.1), dollars=100.0)
    desk.enter(share=0.1)


def test_reserve():
    """The last share of a window is for personal keys and admins; for others it is over until the reset."""
    desk = Desk(reserve=0.2, admins=("admin",))
    desk.use(79.0)
    desk.enter()
    desk.use(80.0)
    with pytest.raises(PlanReserved) as refused:
        desk.enter()
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "plan_reserved", 3600)
    assert "CLAUDE_PROXY_RESERVE=20%" in refused.value.message
    desk.enter(personal=True)
    desk.enter(key="admin")
    desk.enter(key=None)
    desk.use(99.0, "seven_day_opus")
    desk.enter("haiku")
    with pytest.raises(PlanReserved):
        desk.enter("opus")


def test_headers():
    """An answer tells what is left, by OpenAI's names; of two budgets of a unit the one that has less left."""
    desk = Desk()
    terms = Terms(tokens_per_day=1000, tokens_per_week=100, dollars_per_day=2.5)
    desk.sums.add("phone.1", NOW, Spent(requests=1, input_tokens=30, dollars=1.25))
    app = flask.Flask(__name__)
    with app.app_context():
        flask.g.record = type("Record", (), {"caller": Caller(key="phone", owner="phone.1", terms=terms)})()
        told = desk.budgets.mark(flask.Response()).headers
        flask.g.record.caller = Caller(key="phone", owner="phone.1")
        assert "x-ratelimit-limit-tokens" not in desk.budgets.mark(flask.Response()).headers
    assert (told["x-ratelimit-limit-tokens"], told["x-ratelimit-remaining-tokens"]) == ("100", "70")
    assert (told["x-ratelimit-limit-dollars"], told["x-ratelimit-remaining-dollars"]) == ("2.5", "1.25")
    seconds = int(period("week", NOW)[1] - NOW)
    hours, minutes = divmod(seconds // 60, 60)
    assert told["x-ratelimit-reset-tokens"].startswith(f"{hours}h{minutes}m" if minutes else f"{hours}h")


def test_told_to_the_page():
    """The page shows all keys' budgets to who may see them, and to others their own."""
    keys = [Key("phone", b"1" * 32, None, Terms(tokens_per_day=100)), Key("free", b"2" * 32)]
    keys.append(Key("bot", b"3" * 32, None, Terms(requests_per_week=2)))
    desk = Desk(keys=lambda: keys)
    desk.sums.add(keys[0].identity, NOW, Spent(requests=1, output_tokens=30))
    told = desk.budgets.told(None)
    assert [(one["key"], one["left"], one["unit"], one["of"]) for one in told] == [
        ("phone", 70, "tokens", "the day"), ("bot", 2, "requests", "the week"),
    ]  # fmt: skip
    assert [one["key"] for one in desk.budgets.told(keys[2].identity)] == ["bot"]
    assert desk.budgets.told("") == []
