"""A request on its way, from which the facts about it are read at any time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from app.claude.run import Run
from app.events import Usage
from app.facts import Facts


class Entry:
    """One request; what is found out about it is set on it, its turns too, if it has any.

    Let go of it at the end: a turn holds its conversation.
    """

    def __init__(self, request_id: str, route: str, *, turn: bool) -> None:
        self.id = request_id
        self.key: str | None = None
        self.owner = ""
        self.status: int | None = None
        self.code: str | None = None
        self.runs: Sequence[Run] = ()
        self.heartbeats = 0
        self._route = route
        self.turn = turn
        self._at = time.time()
        self._began = time.monotonic()

    @property
    def ms(self) -> int:
        """Milliseconds since the request came."""
        return int((time.monotonic() - self._began) * 1000)

    def beat(self) -> None:
        """Count a heartbeat."""
        self.heartbeats += 1

    def facts(self, *, running: bool) -> Facts:
        """Return what is known now."""
        usage = sum((run.usage for run in self.runs), Usage())
        firsts = [run.first_token_ms for run in self.runs if run.first_token_ms is not None]
        first = self.runs[0] if self.runs else None
        codes = [run.error_code for run in self.runs if run.error_code is not None]
        gone = [reason.code for run in self.runs if (reason := run.cancellation.reason) is not None]
        return Facts(
            id=self.id,
            at=self._at,
            route=self._route,
            turn=self.turn,
            key=self.key,
            owner=self.owner,
            status=self.status,
            code=next(iter([*codes, *gone]), None) or self.code,
            model=first.model if first else None,
            served=first.served if first else None,
            stop=first.stop_reason if first else None,
            ms=self.ms,
            queued_ms=first.queued_ms if first else None,
            ttft_ms=min(firsts, default=None),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            heartbeats=self.heartbeats,
            running=running,
        )
