"""What each key has spent lately, in memory, so that asking costs no time."""

from __future__ import annotations

import bisect
import collections
import itertools
import threading
from collections.abc import Iterable, Sequence

from app.event_loop import pause
from app.ledger.entry import Spent

# How far back sums reach, in seconds: a week, and a day more for the end of one that began elsewhere on the globe.
SPAN_SECONDS = 8 * 86400
# So many moments of a key are told apart by the second; with more, those older than an hour are by the minute.
MAX_MOMENTS = 50_000
HOUR, MINUTE = 3600, 60


class Sums:
    """Sums by owner, and of all of them, each by login, too, since any second of the last eight days. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[tuple[str | None, str | None], _Series] = {}

    def add(self, owner: str, at: float, spent: Spent, login: str = "") -> None:
        """Count what an owner spent at a moment, in unix seconds, through a login."""
        self.add_all([(owner, login, at, spent)])

    def add_all(self, news: Iterable[tuple[str, str, float, Spent]]) -> None:
        """Count what owners spent through logins at moments, in unix seconds, in any order."""
        found: dict[tuple[str | None, str | None], list[tuple[int, Spent]]] = collections.defaultdict(list)
        for owner, login, at, spent in news:
            for whose in itertools.product((owner, None), (login, None)):
                found[whose].append((int(at), spent))
        for whose, moments in found.items():
            moments.sort(key=lambda one: one[0])
            with self._lock:
                self._series.setdefault(whose, _Series()).add(moments)
            if len(moments) > 1:
                pause()

    def since(self, owner: str | None, moment: float, logins: Iterable[str] | None = None) -> Spent:
        """Return what an owner has spent since a moment (unix seconds), None for all of them together.

        Of what was spent through all `logins`, or through these alone.
        """
        with self._lock:
            found = (self._series.get((owner, login)) for login in (logins if logins is not None else (None,)))
            return sum((series.since(moment) for series in found if series is not None), Spent())


class _Series:
    """Moments in order, each with the sum of all up to it."""

    def __init__(self) -> None:
        self._moments: list[int] = []
        self._sums: list[Spent] = []
        self._before = Spent()  # what is older than the first moment

    def add(self, news: Sequence[tuple[int, Spent]]) -> None:
        """Add what was spent at moments, which are in order; the more there is the less each costs."""
        # All but the last few are over: what comes late comes from another worker or host, or after a clock was set
        # back, or was copied here.
        place = bisect.bisect_left(self._moments, news[0][0])
        known, more = self._up_to(place), Spent()
        moments, sums = self._moments[place:], self._sums[place:]
        del self._moments[place:], self._sums[place:]
        waiting = collections.deque(news)
        for moment, total in zip(moments, sums, strict=True):
            while waiting and waiting[0][0] < moment:
                more += waiting[0][1]
                self._put(waiting.popleft()[0], known + more)
            while waiting and waiting[0][0] == moment:
                more += waiting.popleft()[1]
            known = total
            self._put(moment, known + more)
        for moment, spent in waiting:
            more += spent
            self._put(moment, known + more)
        if len(self._moments) > MAX_MOMENTS:
            self._shorten()

    def _put(self, moment: int, total: Spent) -> None:
        """Have all up to a moment add up to a total; no later one is known."""
        if self._moments and self._moments[-1] == moment:
            self._sums[-1] = total
        else:
            self._moments.append(moment)
            self._sums.append(total)

    def since(self, moment: float) -> Spent:
        return self._up_to(len(self._sums)) - self._up_to(bisect.bisect_left(self._moments, moment))

    def _up_to(self, place: int) -> Spent:
        return self._sums[place - 1] if place else self._before

    def _shorten(self) -> None:
        newest = self._moments[-1]
        old = bisect.bisect_left(self._moments, newest - SPAN_SECONDS)
        self._before = self._up_to(old)
        del self._moments[:old], self._sums[:old]
        recent = bisect.bisect_left(self._moments, newest - HOUR)
        # The last sum of each minute stands for all of it, at the minute's beginning.
        minutes = [
            (minute * MINUTE, list(sums)[-1][1])
            for minute, sums in itertools.groupby(
                zip(self._moments[:recent], self._sums[:recent], strict=True), key=lambda pair: pair[0] // MINUTE
            )
        ]
        self._moments[:recent] = [minute for minute, _ in minutes]
        self._sums[:recent] = [total for _, total in minutes]
