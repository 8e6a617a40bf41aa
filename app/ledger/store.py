"""What a store of the ledger offers; `sqlite` is that of one machine, `postgres` that of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from app.ledger.entry import Entry, Spent
from app.ledger.report import Since, Sum
from app.records.figures import Point


class Mark(NamedTuple):
    """Up to which number somebody has read, and of which table: one that begins anew has another `epoch`."""

    epoch: str = ""
    number: int = 0


class News(NamedTuple):
    """What an owner spent through one login in a second, or in the minute that begins then, in unix seconds."""

    owner: str
    login: str
    at: int
    spent: Spent


class LedgerStore(Protocol):
    """Turns, kept for some weeks, and sums by day, kept for years. All methods raise DatabaseFailed."""

    @property
    def where(self) -> str:
        """Where it is, for people."""

    def writer(self) -> str:
        """Return a name that no other writer has."""

    def write(self, writer: str, entries: Sequence[tuple[int, Entry]]) -> None:
        """Add entries to the turns and to their days' sums, all or none.

        Each has a place of its own among those of its writer; one that is there already changes nothing.
        """

    def news(self, after: Mark, but: str, since: float) -> tuple[list[News], Mark]:
        """Return what was spent by the entries beyond a mark that others wrote `but` this writer, and the next mark.

        It need not be all of them at once: the mark stays where there are no more.
        Entries count that ended `since` then, in unix seconds.
        """

    def sums(self, by: str, begin: Since, owner: str | None = None) -> list[Sum]:
        """Return the sums of each key, model, day or client that there is, of one `owner`'s turns or of all.

        The largest come first; days in their order. What begins with a day is summed from the days' sums, else from the
        turns, which are not kept for as long.
        """

    def latest(self, since: float, most: int) -> list[Point]:
        """Return at most so many of this host's turns that ended since then, the last ones, the last of them first."""

    def first_kept(self, rows_before: float) -> tuple[float, int]:
        """Return when the first turn ended that is to be kept, and its number.

        No turn is kept that ended before then, and of the others only the last ones, so many at most. All turns are
        looked at: it is for once before many removals.
        """

    def expire(self, first: tuple[float, int], days_before: float, most: int) -> int:
        """Remove at most so many turns before the `first` that is kept, and of older days; return how many are gone."""

    def wipe(self) -> None:
        """Take what was removed off the disk, where that does not happen by itself."""

    def close(self) -> None:
        """Let go of files; idempotent."""
