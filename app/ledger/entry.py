"""What is kept of one turn, and sums of it."""

from __future__ import annotations

import time

import msgspec

from app.backend import Correction
from app.errors import ClientGone
from app.records.record import RequestSummary


class Spent(msgspec.Struct, frozen=True):
    """A sum over turns. The token counts are disjoint, `dollars` at list price, without those of `unpriced` turns."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    dollars: float = 0.0
    unpriced: int = 0

    def likely_dollars(self, everybody: Spent) -> float:
        """Return the dollars if turns without a price were as dear as the others on average: its own, or everybody's.

        This is for bounds, which would hold nobody back whose answers all end without a price.
        """
        for known in (self, everybody):
            priced = known.requests - known.unpriced
            if self.unpriced > 0 and priced > 0:
                return self.dollars + self.unpriced * known.dollars / priced
        return self.dollars

    @property
    def tokens(self) -> int:
        """All tokens of every kind, those read from the cache included."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: Spent) -> Spent:
        """Return the sum, count by count."""
        return Spent(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.dollars + other.dollars,
            self.unpriced + other.unpriced,
        )

    def __sub__(self, other: Spent) -> Spent:
        """Return the difference, count by count."""
        return Spent(
            self.requests - other.requests,
            self.input_tokens - other.input_tokens,
            self.output_tokens - other.output_tokens,
            self.cache_read_tokens - other.cache_read_tokens,
            self.cache_write_tokens - other.cache_write_tokens,
            self.dollars - other.dollars,
            self.unpriced - other.unpriced,
        )


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One turn that has ended; or, with `requests` 0, what was found out about it afterwards.

    `at` is when it ended, in unix seconds. `owner` is the identity of the API key and `key` its name, both empty
    without keys; `client` is the program, `asked` the model by the name that was asked for, `model` the one that
    answered.
    `login` tells the login that paid from others, empty where it is not known.
    `unpriced` is 1 where `claude` has not told yet what the turn would have cost, and -1 once it does.
    """

    request: str
    at: float
    owner: str = ""
    key: str = ""
    client: str = ""
    asked: str = ""
    model: str = ""
    route: str = ""
    served: str = ""
    status: int | None = None
    code: str = ""
    ms: int = 0
    ttft_ms: int | None = None
    requests: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    dollars: float = 0.0
    unpriced: int = 0
    login: str = ""

    @property
    def failed(self) -> bool:
        """Whether the turn failed; a client that left is no failure."""
        return bool(self.requests) and self.code not in {"", ClientGone.code}

    @property
    def spent(self) -> Spent:
        """What it adds to a sum."""
        return Spent(
            self.requests,
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.dollars,
            self.unpriced,
        )


def of(summary: RequestSummary, login: str = "") -> Entry:
    """Return the entry of a turn that has ended, paid for by that login."""
    return Entry(
        request=summary.id,
        at=summary.ended_at or summary.at,
        owner=summary.owner,
        key=summary.key or "",
        client=summary.program,
        asked=summary.asked or "",
        model=summary.model or "",
        route=summary.route,
        served=summary.served or "",
        status=summary.status,
        code=summary.code or "",
        ms=summary.ms,
        ttft_ms=summary.ttft_ms,
        input_tokens=summary.input_tokens,
        output_tokens=summary.output_tokens,
        cache_read_tokens=summary.cache_read_tokens,
        cache_write_tokens=summary.cache_write_tokens,
        dollars=summary.dollars,
        unpriced=summary.unpriced,
        login=login,
    )


def correcting(summary: RequestSummary, more: Correction, login: str = "") -> Entry:
    """Return the entry of what was found out about a turn that had ended; it counts when that turn did."""
    return Entry(
        request=summary.id,
        at=summary.ended_at or summary.at,
        owner=summary.owner,
        key=summary.key or "",
        client=summary.program,
        model=summary.model or "",
        requests=0,
        input_tokens=more.usage.input_tokens,
        output_tokens=more.usage.output_tokens,
        cache_read_tokens=more.usage.cache_read_tokens,
        cache_write_tokens=more.usage.cache_write_tokens,
        dollars=more.dollars,
        unpriced=-1 if more.priced and summary.model is not None else 0,
        login=login,
    )


def day_of(at: float) -> str:
    """Return the day of a moment, where this machine is."""
    return time.strftime("%Y-%m-%d", time.localtime(at))
