"""What one process has used, told with each result and summed over its life, put down to the turns that used it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from app.backend import Correction
from app.claude.cli.incoming import OutputDetails, Result, UsageLine
from app.events import Usage

NOTHING = Correction(Usage())


class Bill:
    """What one turn has used, as far as it is known: `usage`, and `dollars` at list price, None until a result tells.

    A turn that ends with calls for its client has no result: what it costs is told with the turn that brings the calls'
    results, and is put down to that one. Thread-safe.
    """

    def __init__(self) -> None:
        self.usage = Usage()
        self.dollars: float | None = None
        self.uncovered = Usage()  # the part of `usage` that no result has covered yet
        self.settled = False  # a result has told of it
        self._priced = False
        self._lock = threading.Lock()
        self._later: Callable[[Correction], object] | None = None

    def count(self, usage: Usage) -> None:
        """Take over what the turn has counted itself, all in all."""
        with self._lock:
            if self._later is None:
                self.uncovered += usage - self.usage
                self.usage = usage

    def cover(self, usage: Usage, dollars: float | None) -> None:
        """Take over what a result told: what was not covered is `usage`, and cost so much."""
        with self._lock:
            more, self.uncovered = usage - self.uncovered, Usage()
            priced = dollars is not None and not self._priced
            self._priced, self.settled = self._priced or priced, True
            if self._later is None:
                self.usage += more
                self.dollars = self.dollars if dollars is None else (self.dollars or 0.0) + dollars
                return
            later = self._later
        if (correction := Correction(more, dollars or 0.0, priced=priced)) != NOTHING:
            later(correction)

    def go_on(self, before: Bill) -> None:
        """Take over the dollars of an attempt that was not answered: what it told was the cost of earlier calls."""
        self.dollars, self._priced = before.dollars, before.dollars is not None

    def close(self, later: Callable[[Correction], object]) -> None:
        """Leave the figures as they are from now on; what is found out afterwards is told to `later`."""
        with self._lock:
            self._later = later


class Account:
    """Takes the results of one process in their order; the turn that runs is the one whose bill was opened last."""

    def __init__(self) -> None:
        self._usage = Usage()
        self._dollars = 0.0
        self._open: list[Bill] = []

    def go_on(self, usage: Usage, dollars: float) -> None:
        """Begin with what the CLI itself begins with: what a session has used before this process."""
        self._usage, self._dollars = usage, dollars

    def open(self, bill: Bill) -> None:
        """Put down what is used from now on to a turn's bill."""
        self._open = [before for before in self._open if not before.settled] + [bill]

    def settle(self, result: Result) -> Result:
        """Put down what a result tells; return it with the tokens of the one turn that it ends.

        The CLI's own count of a turn that goes on after a client's calls has those of the turns before in it.
        """
        used, dollars = self._since(result)
        if not self._open or (used == Usage() and not dollars):
            return result  # the acknowledgement of a line, or of a turn that asked nothing
        *before, last = self._open
        for bill in before:
            used -= bill.uncovered
            bill.cover(bill.uncovered, None if dollars is None else 0.0)
        last.cover(used, dollars)
        self._open = [last]
        return msgspec.structs.replace(result, usage=_line(last.usage))

    def _since(self, result: Result) -> tuple[Usage, float | None]:
        """Return what was used since the last result, and what it cost where that is told."""
        turn = _counts(result.usage)
        total = sum((model.counts for model in (result.model_usage or {}).values()), Usage())
        if total == Usage():
            used = turn  # an older version, or a turn that asked nothing
        else:
            used = total - self._usage
            if min(msgspec.structs.astuple(used)) < 0:
                used = total  # it has begun anew
            self._usage = total
            used = msgspec.structs.replace(used, reasoning_tokens=turn.reasoning_tokens)
        if result.total_cost_usd is None:
            return used, None
        more = result.total_cost_usd - self._dollars
        self._dollars = result.total_cost_usd
        return used, more if more >= 0 else self._dollars


def _counts(line: UsageLine | None) -> Usage:
    if line is None:
        return Usage()
    details = line.output_tokens_details
    return Usage(
        line.input_tokens or 0,
        line.output_tokens or 0,
        line.cache_read_input_tokens or 0,
        line.cache_creation_input_tokens or 0,
        (details.thinking_tokens if details is not None else None) or 0,
    )


def _line(usage: Usage) -> UsageLine:
    return UsageLine(
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        OutputDetails(usage.reasoning_tokens),
    )
