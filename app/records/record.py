"""The record of one request: what is known of it, from its beginning to its end, and never what was said in it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Sequence

import msgspec

from app.backend import Correction, Turn
from app.events import Usage
from app.keys.terms import NO_TERMS, Terms


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. Without keys, `key` is None and `owner` is empty.

    `key` is the key's name, for people. `owner` is its identity, which is never shown: what is kept for one is never
    another's, not even under the same name. `client` has a share of the slots: it is the owner, or what looks like one
    program. `view` is the owner whose figures the caller may see, None for those of all. `terms` say what the key
    may use.
    """

    key: str | None = None
    owner: str = ""
    client: str = ""
    view: str | None = None
    terms: Terms = NO_TERMS


# A client may call a model anything, and what it calls it outlives the request: so many characters of it.
MAX_NAME = 100
# And of what an error says.
MAX_WORDS = 400
# A caller that has not been let in, or not yet; it may see no figures.
STRANGER = Caller(view="")


class RequestSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One request, running or ended, for the readers of records.

    `at` and `ended_at` are in unix seconds, times are in milliseconds, and None where they are not known. `owner` is
    the key's identity, never shown; `admitted` says that the caller was let in. `turn` says that a turn began, which
    takes a request that was understood. `route` is the rule, not the `path`, which a client makes up. `code` is the
    error's, also of one that ended a stream, and `words` is what that says, without what was said; `cancelled` is the
    code of what ended the turn from outside; `extra_usage` says that extra usage pays for it, beyond the plan. Several
    turns of one request are added up. The token counts are disjoint. `program` is what the client calls itself, and
    `asked` what it calls the model. `dollars` are at list price, without those of the `unpriced` turns, which are not
    known yet. `trace` and `trace_state` are the client's headers that say of which trace the request is a part.
    `instead_of` is the model that was meant, where another one was asked.
    """

    id: str
    at: float
    route: str
    turn: bool
    method: str = ""
    path: str = ""
    key: str | None = None
    owner: str = ""
    program: str = ""
    admitted: bool = True
    streams: bool = False
    status: int | None = None
    code: str | None = None
    words: str | None = None
    cancelled: str | None = None
    asked: str | None = None
    model: str | None = None
    instead_of: str | None = None
    served: str | None = None
    stop: str | None = None
    ms: int = 0
    queued_ms: int | None = None
    ttft_ms: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    dollars: float = 0.0
    unpriced: int = 0
    heartbeats: int = 0
    extra_usage: bool = False
    running: bool = False
    ended_at: float | None = None
    trace: str = ""
    trace_state: str = ""


class RequestRecord:
    """One request. Each part of the server sets on it what it finds out.

    Do not keep it after the end: its turns hold their conversations.
    """

    def __init__(self, route: str, method: str = "", path: str = "") -> None:
        self.id = f"req_{secrets.token_hex(12)}"
        self.caller = STRANGER
        self.status: int | None = None
        self.code: str | None = None
        self.words: str | None = None
        self.program = ""
        self.asked: str | None = None
        self.meant: str | None = None  # the model behind that name
        self.streams = False
        self.heartbeats = 0
        self.trace = self.trace_state = ""
        self.turns: Sequence[Turn] | None = None  # none until the request is understood: then its turns begin
        self._route, self._method, self._path = route, method, path
        self._at = time.time()
        self._began = time.monotonic()
        self._ended_at: float | None = None
        self._held = contextlib.ExitStack()

    @property
    def ms(self) -> int:
        """Milliseconds since the request came."""
        return int((time.monotonic() - self._began) * 1000)

    @property
    def instead_of(self) -> str | None:
        """The model that was meant, where another one is asked."""
        return self.meant if self.turns and self.turns[0].asks != self.meant else None

    def beat(self) -> None:
        """Count a heartbeat."""
        self.heartbeats += 1

    def on_end(self, give_back: Callable[[], object]) -> None:
        """Call this once when the request has ended, whatever becomes of it."""
        self._held.callback(give_back)

    def give_back(self) -> None:
        """Give back what was held for the request; idempotent."""
        self._held.close()

    def hand_over(self, later: Callable[[Correction], object]) -> None:
        """Leave tokens and dollars as they are from now on; what is found out afterwards is told to `later`."""
        for turn in self.turns or ():
            turn.hand_over(later)

    def summary(self, *, running: bool = True) -> RequestSummary:
        """Return what is known now."""
        if not running and self._ended_at is None:
            self._ended_at = time.time()
        turns = self.turns or ()
        usage = sum((turn.usage for turn in turns), Usage())
        firsts = [turn.first_token_ms for turn in turns if turn.first_token_ms is not None]
        first = turns[0] if turns else None
        prices = [turn.dollars for turn in turns if turn.model is not None]
        codes = [turn.error_code for turn in turns if turn.error_code is not None]
        words = next((turn.error_words for turn in turns if turn.error_words is not None), self.words)
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
            program=self.program,
            admitted=self.caller is not STRANGER,
            streams=self.streams,
            status=self.status,
            code=next(iter(codes), None) or cancelled or self.code,
            words=None if words is None else words[:MAX_WORDS],
            cancelled=cancelled,
            asked=None if self.asked is None else self.asked[:MAX_NAME],
            model=first.model if first else None,
            instead_of=self.instead_of,
            served=first.served if first else None,
            stop=first.stop_reason if first else None,
            ms=self.ms,
            queued_ms=first.queued_ms if first else None,
            ttft_ms=min(firsts, default=None),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            dollars=sum(price for price in prices if price is not None),
            unpriced=prices.count(None),
            heartbeats=self.heartbeats,
            extra_usage=any(turn.extra_usage and turn.model is not None for turn in turns),
            running=running,
            ended_at=self._ended_at,
            trace=self.trace,
            trace_state=self.trace_state,
        )
