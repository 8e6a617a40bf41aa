"""The channel of one process: what is written to it and read from it, its control requests, and the time they take."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Generator
from typing import Any, Literal, TypeVar, cast

from app.backend import Tap
from app.claude.cli.account import Account
from app.claude.cli.incoming import (
    ControlReply,
    ControlRequest,
    ControlResponse,
    Line,
    RateLimitEvent,
    RateLimitInfo,
    Result,
    decode,
)
from app.claude.cli.outgoing import control_line
from app.claude.cli.process import Process
from app.claude.cli.tools import ToolServer
from app.errors import CliFailed, TurnTimeout
from app.event_loop import pause
from app.models import CliModel

log = logging.getLogger(__name__)

T = TypeVar("T")

# How long one read waits. Heartbeats, deadlines and cancellations are checked that often.
TICK_SECONDS = 1.0
# How long a process may take to answer its first request.
START_SECONDS = 30.0
# A process that has waited must say something within this time of being told something, or it is replaced.
FIRST_SIGN_SECONDS = 3.0
# How many tokens a conversation may have before the CLI refuses to ask the API with it, which it looks up each time.
LIMIT = "CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE"
# Lines of unknown types in one turn.
MAX_SKIPPED = 100_000


class Deadlines:
    """When a turn has taken too long: `ends` (monotonic seconds) in all, `idle` seconds without a line."""

    def __init__(self, total: float, idle: float) -> None:
        self._last = time.monotonic()
        self.ends = self._last + total
        self.idle = idle

    def touch(self) -> None:
        """Note that a line came."""
        self._last = time.monotonic()

    def check(self) -> None:
        """Raise TurnTimeout when the turn is overdue."""
        now = time.monotonic()
        if now >= self.ends:
            raise TurnTimeout("The turn took longer than CLAUDE_PROXY_TIMEOUT allows.")
        if now - self._last >= self.idle:
            raise TurnTimeout("The claude CLI was silent for longer than CLAUDE_PROXY_IDLE_TIMEOUT allows.")

    def left(self) -> float:
        """Return the seconds a write may take, at least a moment."""
        return max(0.01, min(self.idle, self.ends - time.monotonic()))


class Channel:
    """Writes to a process and reads from it as long as it lives, within the `deadlines` of its user.

    `tools` answers what the process asks of the client's tools, `account` has what it used. `models` is what it said
    this login may use, `login` what it said of it, and `limit` what it said last of the plan's use, which it repeats
    only when that has changed; `heard` is told each. `idle` says whether the CLI has ended what it was asked for, and
    `skipped` counts the lines of unknown type. `tap`, where there is one, is told every line.
    """

    def __init__(self, process: Process, deadlines: Deadlines | None = None) -> None:
        self.deadlines = deadlines or Deadlines(2 * START_SECONDS, 2 * START_SECONDS)
        self.tools = ToolServer(())
        self.account = Account()
        self.models: tuple[CliModel, ...] = ()
        self.login: Any = None
        self.limit: RateLimitInfo | None = None
        self.heard: Callable[[RateLimitInfo], object] = lambda _: None
        self.tap: Tap | None = None
        self.idle = True
        self.skipped = 0
        self._interrupted = False
        self._process = process
        self._requests = 0
        self._replies: dict[str, ControlReply | None] = {}  # to requests whose answer is waited for
        self._heard, self._silent_until = True, 0.0
        self._hold: str | None = None  # the request that keeps it from asking the API

    def write(self, data: bytes, *, asks: bool = False) -> None:
        """Write whole lines; where one `asks`, a result will end the turn. Raises CliFailed or TurnTimeout."""
        if asks:
            self.let_go()
            self.idle = self._interrupted = False
        self._tell("outgoing", data)
        self._process.write(data, self.deadlines.left())

    def send(self, subtype: str, **fields: Any) -> str:
        """Put a control request; return its id, under which `reply` has the answer. Raises CliFailed or TurnTimeout."""
        self._requests += 1
        request_id = f"{subtype}-{self._requests}"
        self._replies[request_id] = None
        self.write(control_line(request_id, subtype, **fields))
        return request_id

    def reply(self, request_id: str) -> ControlReply | None:
        """Return the answer to a control request, once; None while it has not come."""
        if self._replies.get(request_id) is None:
            return None
        return self._replies.pop(request_id)

    def request(self, subtype: str, seconds: float, **fields: Any) -> Generator[None, None, ControlReply]:
        """Put a control request, read on until its answer has come, and return it; yield after each silent tick.

        Raises CliFailed or TurnTimeout, also where it takes longer than `seconds`; only the deadlines bound `inf`.
        """
        deadline = time.monotonic() + seconds
        request_id = self.send(subtype, **fields)
        while (reply := self.reply(request_id)) is None:
            if not self.read(deadline - time.monotonic()):
                yield
            _check_in_time(deadline)
        return reply

    @property
    def held(self) -> bool:
        """Whether the CLI has said that it asks the API nothing more."""
        reply = self._replies.get(self._hold) if self._hold is not None else None
        return reply is not None and reply.subtype != "error"

    def hold(self) -> None:
        """Keep the CLI from asking the API anything more before its turn has ended or it is asked something.

        Whatever it would ask by itself ends the turn with an error. Raises CliFailed or TurnTimeout.
        """
        if self._hold is None:
            self._hold = self.send("apply_flag_settings", settings={"env": {LIMIT: "1"}})

    def let_go(self) -> None:
        """Let the CLI ask the API again; idempotent. Raises CliFailed or TurnTimeout."""
        if self._hold is not None:
            self._replies.pop(self._hold, None)
            self._hold = None
            self.write(control_line("go", "apply_flag_settings", settings={"env": {LIMIT: ""}}))

    def interrupt(self) -> None:
        """Ask the CLI, once, to end its turn; it says so with a result. Raises CliFailed or TurnTimeout."""
        if not self._interrupted:
            self._interrupted = True
            self.write(control_line("interrupt", "interrupt"))

    def until_idle(self, seconds: float) -> Generator[None]:
        """Read until the CLI has ended its turn, which it has been asked to do; yield after each silent tick.

        Raises CliFailed or TurnTimeout, also where that takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not self.idle:
            if not self.read(deadline - time.monotonic()):
                yield
            _check_in_time(deadline)

    def go_back(self, target: str, newest: str) -> Generator[None]:
        """Take the process back to before the line `target`; yield after each silent tick.

        `newest` is the user's line that it was told last. Raises CliFailed unless it says that it has done just that.
        """
        reply = yield from self.request(
            "rewind_conversation", FIRST_SIGN_SECONDS, target_message_uuid=target, last_seen_user_message_uuid=newest
        )
        went = reply.payload()
        if went.get("rewound") is not True or went.get("targetMessageUuid") != target:
            raise CliFailed("The claude CLI did not go back to where it was asked to.", code="cli_error")

    def count(self, *, roughly: bool = False) -> Generator[None, None, dict[str, int]]:
        """Return how many tokens each part has of what the process was told, by its name; yield after silent ticks.

        The CLI asks Anthropic's counter, or estimates by itself: where it is to do so `roughly`, and where it gets no
        answer. Older versions know no other way than the first. What it refuses to count has no parts.
        Raises CliFailed or TurnTimeout.
        """
        detail = {"detail": "summary"} if roughly else {}
        reply = yield from self.request("get_context_usage", math.inf, **detail)
        parts: dict[str, int] = {}
        categories = reply.payload().get("categories")
        for category in categories if isinstance(categories, list) else ():
            match category:
                case {"name": str(name), "tokens": int(tokens)}:
                    parts[name] = tokens
        return parts

    def drain(self) -> None:
        """Read what there is, without waiting. Raises CliFailed."""
        while self._process.readable(0):
            self.read(0)

    def expect_sign(self) -> None:
        """Give the process a moment to say something; if it does not, `read` raises CliFailed."""
        self._heard, self._silent_until = False, time.monotonic() + FIRST_SIGN_SECONDS

    def read(self, seconds: float = TICK_SECONDS) -> list[Line]:
        """Return the lines of a turn that one read brings, none after a silent tick, or `seconds` if these are less.

        Raises CliFailed or TurnTimeout, also where the process refuses the settings it was given: it would answer as
        somebody else.
        """
        lines: list[Line] = []
        for raw in self._process.read(max(0.01, min(TICK_SECONDS, seconds))):
            pause()
            self._tell("incoming", raw)
            line = decode(raw)
            if line is None:
                self.skipped += 1
                if self.skipped > MAX_SKIPPED:
                    raise CliFailed("The claude CLI sends nothing but lines of unknown types.", code="cli_protocol")
                continue  # not a sign of life, since they may never end
            if isinstance(line, ControlResponse):
                self._take(line.response)
            elif isinstance(line, ControlRequest):
                if (answer := self.tools.reply(line)) is not None:
                    self.write(answer)
            else:
                if isinstance(line, Result):
                    self.idle, line = True, self.account.settle(line)
                    with contextlib.suppress(CliFailed, TurnTimeout):  # the next write says it, too
                        self.let_go()
                lines.append(line)
                if isinstance(line, RateLimitEvent):
                    self.limit = line.rate_limit_info
                    self.heard(self.limit)
            self.deadlines.touch()
            self._heard = True
        if not self._heard:
            _check_in_time(self._silent_until)
        self.deadlines.check()
        return lines

    def _tell(self, kind: Literal["outgoing", "incoming"], data: bytes) -> None:
        if self.tap is not None:
            self.tap(kind, self._process.pid, data)

    def _take(self, reply: ControlReply) -> None:
        self.models = reply.models() or self.models
        if reply.request_id == "initialize":
            self.login = reply.payload().get("account")
        if reply.request_id in self._replies:
            self._replies[reply.request_id] = reply
        if reply.subtype == "error" and reply.request_id in {"initialize", "settings"}:
            log.error("control request=%s error=%s", reply.request_id, reply.error)
            raise CliFailed(
                "The claude CLI refused its settings; run `claude update`, or see the log.", code="cli_error"
            )


def finished(waiting: Generator[object, None, T]) -> T:
    """Run a request or a wait to its end and return its result, where there is nothing else to do meanwhile."""
    while True:
        try:
            next(waiting)
        except StopIteration as end:
            return cast("T", end.value)


def _check_in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise CliFailed("The claude CLI does not answer.", code="cli_error")
