"""The lines between this server and one process: its questions are answered, what it tells of itself is noted."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from app.claude.cli.deadlines import TICK, Deadlines
from app.claude.cli.lines import control_line
from app.claude.cli.process import Process
from app.claude.cli.protocol import ControlRequest, ControlResponse, Line, Result, decode
from app.claude.cli.tools import ToolServer
from app.errors import CliFailed
from app.event_loop import pause
from app.models import CliModel

log = logging.getLogger(__name__)

# The requests that take a process back to where it was before a user's line, and end its turn.
REWIND, INTERRUPT = "rewind", "interrupt"
# A process that has waited says something within so many seconds of being told something, or is replaced.
MOMENT = 3.0
# Lines of unknown types in one turn.
MAX_SKIPPED = 100_000


class Channel:
    """Writes to a process and reads from it, within deadlines; `tools` answers what it asks of the client's tools.

    `models` is what it said this login may use, `idle` whether the CLI has ended what it was asked for, and `skipped`
    counts the lines of unknown type.
    """

    def __init__(self, process: Process, tools: ToolServer, deadlines: Deadlines) -> None:
        self.tools = tools
        self.models: tuple[CliModel, ...] = ()
        self.idle = True
        self.skipped = 0
        self._process = process
        self._deadlines = deadlines
        self._heard, self._silent_until = True, 0.0
        self._rewound: str | None = None  # the id of the line it went back to before, empty where it did not

    def write(self, data: bytes) -> None:
        """Write whole lines. Raises CliFailed or TurnTimeout."""
        self._process.write(data, self._deadlines.left())

    def ask(self, data: bytes) -> None:
        """Write lines that the CLI ends with a result. Raises CliFailed or TurnTimeout."""
        self.idle = False
        self.write(data)

    def drain(self) -> None:
        """Read what a process has said while it waited; from now on it has a moment to say more. Raises CliFailed."""
        while self._process.readable(0):
            self.read(0)
        self._heard, self._silent_until = False, time.monotonic() + MOMENT

    def interrupt(self) -> None:
        """Ask the CLI to end its turn; it says so with a result. Raises CliFailed or TurnTimeout."""
        self.write(control_line(INTERRUPT, "interrupt"))

    def until_idle(self, seconds: float) -> Iterator[None]:
        """Read until the CLI has ended its turn, which it has been asked to do; yield after each silent tick.

        Raises CliFailed or TurnTimeout, also where that takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not self.idle:
            if not self.read(deadline - time.monotonic()):
                yield
            self._in_time(deadline)

    def go_back(self, target: str, newest: str) -> Iterator[None]:
        """Take the process back to before the line `target`; yield after each silent tick.

        `newest` is the user's line that it was told last. Raises CliFailed unless it says that it has done just that.
        """
        self._rewound = None
        deadline = time.monotonic() + MOMENT
        self.write(
            control_line(REWIND, "rewind_conversation", target_message_uuid=target, last_seen_user_message_uuid=newest)
        )
        while self._rewound is None:
            if not self.read(deadline - time.monotonic()):
                yield
            self._in_time(deadline)
        if self._rewound != target:
            raise CliFailed("The claude CLI did not go back to where it was asked to.", code="cli_error")

    def read(self, seconds: float = TICK) -> list[Line]:
        """Return the lines of a turn that one read brings, none after a silent tick, or `seconds` if these are less.

        Raises CliFailed or TurnTimeout, also where the process refuses the settings it was given: it would answer as
        somebody else.
        """
        lines: list[Line] = []
        for raw in self._process.read(max(0.01, min(TICK, seconds))):
            pause()
            line = decode(raw)
            if line is None:
                self.skipped += 1
                if self.skipped > MAX_SKIPPED:
                    raise CliFailed("The claude CLI sends nothing but lines of unknown types.", code="cli_protocol")
                continue  # no sign of life: there may be no end of them
            if isinstance(line, ControlResponse):
                self._on_control(line)
            elif isinstance(line, ControlRequest):
                reply = self.tools.reply(line)
                if reply is not None:
                    self.write(reply)
            else:
                self.idle = self.idle or isinstance(line, Result)
                lines.append(line)
            self._deadlines.touch()
            self._heard = True
        if not self._heard:
            self._in_time(self._silent_until)
        self._deadlines.check()
        return lines

    def _in_time(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise CliFailed("The claude CLI does not answer.", code="cli_error")

    def _on_control(self, line: ControlResponse) -> None:
        told, payload = line.response, line.response.response
        if payload is not None:
            self.models = tuple(payload.models or self.models)
        if told.request_id == REWIND:
            went = payload is not None and payload.rewound is True
            self._rewound = str(payload.target_message_uuid) if went and payload is not None else ""
        if told.subtype == "error" and told.request_id in {"initialize", "settings"}:
            log.error("control request=%s error=%s", told.request_id, told.error)
            raise CliFailed(
                "The claude CLI refused its settings; run `claude update`, or see the log.", code="cli_error"
            )
