"""Counting the tokens of a turn's messages while they pass."""

from __future__ import annotations

from app.claude.cli.protocol import UsageLine
from app.events import Usage


class Tally:
    """Adds up the messages of one turn; the CLI's own sum, where it comes, replaces it."""

    def __init__(self) -> None:
        self._done = Usage()
        self._current = Usage()

    def begin(self, line: UsageLine | None) -> None:
        """Start the next message with what its opening says."""
        self._done = self.usage()
        self._current = _counts(line, Usage())

    def update(self, line: UsageLine | None) -> None:
        """Take over what the message's end says; its counts are totals of the message."""
        self._current = _counts(line, self._current)

    def replace(self, line: UsageLine | None) -> None:
        """Take over the sum of the whole turn, if there is one."""
        if line is not None:
            self._done, self._current = Usage(), _counts(line, Usage())

    def usage(self) -> Usage:
        """Return the sum so far."""
        return self._done + self._current


def _counts(line: UsageLine | None, before: Usage) -> Usage:
    if line is None:
        return before
    details = line.output_tokens_details
    thinking = details.thinking_tokens if details is not None else None
    return Usage(
        input_tokens=_known(line.input_tokens, before.input_tokens),
        output_tokens=_known(line.output_tokens, before.output_tokens),
        cache_read_tokens=_known(line.cache_read_input_tokens, before.cache_read_tokens),
        cache_write_tokens=_known(line.cache_creation_input_tokens, before.cache_write_tokens),
        reasoning_tokens=_known(thinking, before.reasoning_tokens),
    )


def _known(count: int | None, before: int) -> int:
    return before if count is None else count
