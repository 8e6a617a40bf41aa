"""The record of one request: what is known of it, from its beginning to its end, and never what was said in it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Sequence

import msgspec

from app.backend import Turn
from app.events import Usage


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. Without keys, `key` is None and `owner` is empty.

    `key` is the key's name, for people. `owner` is its identity, for nobody to see: what is kept for one is never
    another's, not even under the same name. `client` is who has a share of the slots: the owner, or what looks like one
    program. `view` is the owner whose figures the caller may see, None for those of all.
    """

    key: str | None = None
    owner: str = ""
    client: str = ""
    view: str | None = None


# Who has not been let in, or not yet. Sees nobody's figures.
STRANGER = Caller(view="")


class RequestSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One request, running or ended, for whoever reads records.

    `at` is in unix seconds, times are in milliseconds, and None where they are not known. `owner` is the key's
    identity, for nobody to see; `admitted` says that the caller was let in. `turn` says that a turn began, which takes
    a request that was understood. `route` is the rule, not the `path`, which a client makes up. `code` is the error's,
    also of one that ended a stream; `cancelled` is the code of what ended the turn from outside. Several turns of one
    request are added up. The token counts are disjoint.
    """

    id: str
    at: float
    route: str
    turn: bool
    method: str = ""
    path: str = ""
    key: str | None = None
    owner: str = ""
    admitted: bool = True
    streams: bool = False
    status: int | None = None
    code: str | None = None
    cancelled: str | None = None
    model: str | None = None
    served: str | None = None
    stop: str | None = None
    ms: int = 0
    queued_ms: int | None = None
    ttft_ms: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    heartbeats: int = 0
    running: bool = False


class RequestRecord:
    """One request; what is found out about it is set on it, by whoever finds it out.

    Let go of it at the end: a turn holds its conversation.
    """

    def __init__(self, route: str, method: str = "", path: str = "") -> None:
        self.id = f"req_{secrets.token_hex(12)}"
        self.caller = STRANGER
        self.status: int | None = None
        self.code: str | None = None
        self.streams = False
        self.heartbeats = 0
        self.turns: Sequence[Turn] | None = None  # none until the request is understood: then its turns begin
        self._route, self._method, self._path = route, method, path
        self._at = time.time()
        self._began = time.monotonic()
        self._held = contextlib.ExitStack()

    @property
    def ms(self) -> int:
        """Milliseconds since the request came."""
        return int((time.monotonic() - self._began) * 1000)

    def beat(self) -> None:
        """Count a heartbeat."""
        self.heartbeats += 1

    def on_end(self, give_back: Callable[[], object]) -> None:
        """Call this once when the request has ended, whatever becomes of it."""
        self._held.callback(give_back)

    def give_back(self) -> None:
        """Give back what was held for the request; idempotent."""
        self._held.close()

    def summary(self, *, running: bool = True) -> RequestSummary:
        """Return what is known now."""
        turns = self.turns or ()
        usage = sum((turn.usage for turn in turns), Usage())
        firsts = [turn.first_token_ms for turn in turns if turn.first_token_ms is not None]
        first = turns[0] if turns else None
        codes = [turn.error_code for turn in turns if turn.error_code is not None]
        cancelled = next((reason.code for turn in turns if (reason := turn.cancellation.reason) is not None), None)
        return RequestSummary(
            id=self.id,
            at=self._at,
            route=self._route,
            turn=self.turns is not None,
            method=self._method,
            path=self._path,
            key=self.caller.key,
            owner=self.caller.owner,
            admitted=self.caller is not STRANGER,
            streams=self.streams,
            status=self.status,
            code=next(iter(codes), None) or cancelled or self.code,
            cancelled=cancelled,
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
