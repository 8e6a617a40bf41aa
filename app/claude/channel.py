"""The lines between this server and one process: its questions are answered, what it tells of itself is noted."""

from __future__ import annotations

import logging

from app.claude.deadlines import TICK, Deadlines
from app.claude.process import Process
from app.claude.protocol import ControlRequest, ControlResponse, Line, decode
from app.claude.tools import ToolServer
from app.errors import CliFailed
from app.event_loop import pause
from app.models import CliModel

log = logging.getLogger(__name__)

# The request that takes a process back to where it was before a user's line.
REWIND = "rewind"
# Lines of unknown types in one turn.
MAX_SKIPPED = 100_000


class Channel:
    """Writes to a process and reads from it, within deadlines; `tools` answers what it asks of the client's tools.

    `opened` tells that the process has answered: it is alive, and anything may have happened since. `models` is what
    it said this login may use, `rewound` whether it went back when it was asked to, and `skipped` counts the lines of
    unknown type.
    """

    def __init__(self, process: Process, tools: ToolServer, deadlines: Deadlines) -> None:
        self.tools = tools
        self.opened = False
        self.models: tuple[CliModel, ...] = ()
        self.rewound: bool | None = None
        self.skipped = 0
        self._process = process
        self._deadlines = deadlines

    def write(self, data: bytes) -> None:
        """Write whole lines. Raises CliFailed or TurnTimeout."""
        self._process.write(data, self._deadlines.left())

    def read(self) -> list[Line]:
        """Return the lines of a turn that one read brings, none after a silent tick. Raises CliFailed or TurnTimeout.

        Also where the process refuses the settings it was given: it would answer as somebody else.
        """
        lines: list[Line] = []
        for raw in self._process.read(TICK):
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
                lines.append(line)
            self._deadlines.touch()
        self._deadlines.check()
        return lines

    def _on_control(self, line: ControlResponse) -> None:
        self.opened = True
        told, payload = line.response, line.response.response
        if payload is not None:
            self.models = tuple(payload.models or self.models)
        if told.request_id == REWIND:
            self.rewound = payload is not None and payload.rewound is True
        if told.subtype == "error" and told.request_id in {"initialize", "settings"}:
            log.error("control request=%s error=%s", told.request_id, told.error)
            raise CliFailed(
                "The claude CLI refused its settings; run `claude update`, or see the log.", code="cli_error"
            )
