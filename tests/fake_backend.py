"""A backend in place of the CLI's, for tests of what stands in front of it."""

from __future__ import annotations

from msgspec.structs import replace

from app.backend import Cli, Count, Kept, PlanStatus, ProcessCounts, Readiness, SlotCounts, Spares, Status
from app.events import TextDelta, TurnEnd, TurnStart, Usage

READY = Readiness(None, Cli(found=True, put_aside=None, path="/bin/claude", version="2.1.300"), "present")
IDLE = Status(
    slots=SlotCounts(8, 0, 0), spares=Spares(2, 2), agents=Spares(0, 0), kept=Kept(8, 0, 0),
    processes=ProcessCounts(2, {"spare": 2}, {}), plan=PlanStatus({}, []), promises={}, put_aside=False,
)  # fmt: skip


class FakeTurn:
    """Says Hello, or raises `error` in its midst."""

    def __init__(self, cancellation, error):
        self.cancellation, self._error, self.closed = cancellation, error, False
        self.model = self.served = self.stop_reason = self.first_token_ms = self.queued_ms = None
        self.error_code = self.error_words = None
        self.usage, self.dollars, self.extra_usage = Usage(), None, False
        self.asks, self.stays = "sonnet", False

    def __iter__(self):
        self.model, self.served, self.queued_ms, self.first_token_ms = "claude-fake-1", "spare", 1, 2
        yield [TurnStart("claude-fake-1"), TextDelta(b'"Hello"')]
        self.cancellation.check()
        if self._error is not None:
            self.note(self._error)
            raise self._error
        self.usage, self.stop_reason = Usage(3, 4), "end_turn"
        yield [TurnEnd("end_turn", self.usage)]

    def stay(self):
        self.stays = True

    def hand_over(self, later):
        self.later = later

    def note(self, error):
        self.error_code = self.error_code or error.code
        self.error_words = self.error_words or error.words

    def close(self):
        self.closed = True


class FakeBackend:
    """Keeps the `turns` it was asked for; `refusal` is raised before any, `error` within each."""

    def __init__(self, refusal=None, error=None):
        self.refusal, self.error, self.readiness_told, self.told = refusal, error, READY, IDLE
        self.draining, self.opened, self.turns, self.asked = False, 0, [], []

    def open(self):
        self.opened += 1

    def admit(self, *models):
        if self.refusal is not None:
            raise self.refusal
        return models

    def check_room(self, client, turns):
        pass

    def resume(self):
        return []

    @property
    def login(self):
        return self.told.login

    @property
    def windows(self):
        return self.told.plan.windows

    def remember(self, windows):
        self.tell(plan=replace(self.told.plan, windows={**windows, **self.windows}))

    def run(self, conversation, cancellation, preparation=None, *, client="", tap=None):
        self.asked.append((conversation, client))
        self.turns.append(FakeTurn(cancellation, self.error))
        self.turns[-1].asks = conversation.model
        return self.turns[-1]

    def count(self, conversation, cancellation, *, client="", tap=None):
        self.asked.append((conversation, client))
        if self.error is not None:
            raise self.error
        return Count(7, exact=True)

    def forget(self, owner):
        pass

    def status(self):
        return self.told

    def tell(self, **changed):
        self.told = replace(self.told, **changed)

    def readiness(self):
        return self.readiness_told

    def drain(self, seconds):
        self.draining = True

    def close(self):
        self.draining = True
