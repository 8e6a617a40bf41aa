"""The processes that wait: told nothing, an opening, or a conversation; whoever knows most of the next one answers it.

Telling a conversation anew to another process is always right: whatever waits may be given up at any time.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import psutil

from app.claude.cli.binary import Binary
from app.claude.cli.process import Process
from app.claude.cli.registry import Registry
from app.claude.cli.tools import ToolServer
from app.claude.shelf.memory import Memory
from app.conversation import Turn
from app.models import CliModel

log = logging.getLogger(__name__)

# With less memory available than this, in bytes, no conversation waits: a process takes about 240 MB.
SCARCE = 512 * 2**20
# How long those that were busy at once may wait beyond the limit, in seconds: what came at once may do so again.
LINGER = 15.0
# A process is replaced after so many conversations, or so many seconds.
MAX_CONVERSATIONS = 200
MAX_AGE = 3600.0
# A conversation of one question and its answer is told anew in no time: a new one may have its process.
SHORT = 2


@dataclasses.dataclass(eq=False)
class Waiting:
    """A process and what it knows; one that was told nothing is a spare, `ready` once it has answered.

    `own_tools` are those of Claude Code's own that it was started with, `models` what it told of the login's models,
    `owner` is the identity of the key whose words it was told, `affinity` its client's hint, `goes_on` says whether
    another request may go on from what it knows, and `conversations` counts how many it has begun.
    """

    process: Process
    binary: Binary
    own_tools: tuple[str, ...] = ()
    ready: bool = False
    memory: Memory = dataclasses.field(default_factory=Memory)
    tools: ToolServer | None = None
    models: tuple[CliModel, ...] = ()
    owner: str = ""
    affinity: str = ""
    goes_on: bool = True
    conversations: int = 0
    in_advance: bool = True  # it was there before the request that has it
    since: float = 0.0  # when it was put on the shelf, in monotonic seconds

    @property
    def spare(self) -> bool:
        """Whether it was told nothing."""
        return self.memory.opening is None

    @property
    def told(self) -> bool:
        """Whether it was told something."""
        return not self.spare

    @property
    def worn(self) -> bool:
        """Whether it has worked long enough."""
        return self.conversations >= MAX_CONVERSATIONS or time.monotonic() - self.process.started > MAX_AGE

    def runs(self, binary: Binary) -> bool:
        """Tell whether it is alive and runs this executable, as it is now."""
        return (self.binary.path, self.binary.stamp) == (binary.path, binary.stamp) and self.process.alive


class Taken(NamedTuple):
    """A process for a turn, and how many of the conversation's steps it knows when it has gone back."""

    waiting: Waiting
    place: int = 0


class Shelf:
    """All that waits, the least recently used first. Thread-safe.

    When all is quiet at most `limit` wait that were told something, each for `seconds`; for a moment it may be so many
    as turns are `allowed`, those that run included, which `running` counts.
    """

    def __init__(
        self, limit: int, seconds: float, *, allowed: int, running: Callable[[], int], registry: Registry
    ) -> None:
        self.limit = limit
        self._seconds = seconds
        self._allowed = allowed
        self._running = running
        self._registry = registry
        self._lock = threading.Lock()
        self._waiting: list[Waiting] = []
        self.closed = False

    def count(self, which: Callable[[Waiting], bool]) -> int:
        """Return how many of those that wait are so."""
        return sum(map(which, list(self._waiting)))

    @property
    def idle(self) -> int:
        """How many wait for a question, with something told."""
        return self.count(lambda one: one.told and not one.memory.calls)

    @property
    def parked(self) -> int:
        """How many wait for the results of tools."""
        return self.count(lambda one: bool(one.memory.calls))

    @property
    def takes(self) -> bool:
        """Whether a process that was told something may wait here."""
        return self.limit > 0 and not self.closed

    def put(self, waiting: Waiting) -> None:
        """Let a process wait, or end it where that is not to be."""
        waiting.since, waiting.in_advance = time.monotonic(), True
        with self._lock:
            self._waiting.append(waiting)
        if self.closed or (waiting.told and (not self.limit or waiting.worn or memory_is_scarce())):
            self.give_up([waiting], "surplus")
        elif waiting.told:
            # The turn it comes from still counts among those that run.
            self.make_room(self._running() - 1)

    def take(
        self, lineage: Sequence[bytes], steps: Sequence[Turn], own_tools: tuple[str, ...], binary: Binary
    ) -> Taken | None:
        """Return, for good, the living process that knows most of a conversation, or else a spare, or None."""
        with self._lock:
            gone = [one for one in self._waiting if not one.runs(binary)]
            # With tools of its own the CLI knows more than it was told: it goes on, or ends.
            going_back = binary.capabilities.going_back and not own_tools
            fit = [one for one in self._waiting if one not in gone]
            best = self._best(fit, lineage, steps, going_back=going_back)
            if best is not None:
                self._waiting.remove(best.waiting)
                best.waiting.binary = binary  # what it can do may have been found out since
        self.give_up(gone, "surplus")
        return best

    def take_spare(self, own_tools: tuple[str, ...], binary: Binary) -> Waiting | None:
        """Return, for good, a living process that was told nothing, the most ready one; or None."""
        with self._lock:
            spares = [one for one in self._waiting if one.spare and one.own_tools == own_tools and one.runs(binary)]
            spare = next((one for one in spares if one.ready), spares[0] if spares else None)
            if spare is not None:
                self._waiting.remove(spare)
                spare.binary = binary
        return spare

    def make_room(self, running: int) -> None:
        """Give up conversations, the least wanted first, until they and the running turns are as many as allowed."""
        with self._lock:
            told = [one for one in self._waiting if one.told]
            surplus = _least_wanted(told, len(told) - max(0, self._allowed - max(0, running)))
        self.give_up(surplus, "surplus")

    def tidy(self, binary: Binary | None) -> list[Waiting]:
        """End what has died, waited too long or runs another executable than `binary`, and what is too many.

        Return those whose calls nobody has answered in time, taken off the shelf.
        """
        now = time.monotonic()
        scarce = memory_is_scarce()
        with self._lock:
            told = [one for one in self._waiting if one.told]
            overdue = [one for one in told if now - one.since >= self._seconds]
            unwanted = [one for one in self._waiting if binary is not None and not one.runs(binary)]
            unwanted += [one for one in self._waiting if one.worn and (one.spare or not one.memory.calls)]
            unwanted += [one for one in overdue if not one.memory.calls]
            unwanted += [one for one in _least_wanted(told, len(told) - self.limit) if now - one.since >= LINGER]
            if scarce:
                unwanted += told
            abandoned = [one for one in overdue if one.memory.calls and one not in unwanted]
            for one in abandoned:
                self._waiting.remove(one)
        if scarce and told:
            log.warning("memory is scarce; gave up processes that wait n=%d", len(told))
        self.give_up(unwanted, "surplus")
        return abandoned

    def give_up(self, unwanted: Collection[Waiting], cause: str) -> None:
        """End those that still wait; a request may have been faster."""
        with self._lock:
            ended = [one for one in dict.fromkeys(unwanted) if one in self._waiting]
            for one in ended:
                self._waiting.remove(one)
        for one in ended:
            self.discard(one, cause)

    def discard(self, waiting: Waiting, cause: str = "surplus") -> None:
        """End a process that does not wait here any longer."""
        if waiting.memory.calls:
            # At the end of its input it would take the calls for failed, and ask the API once more.
            waiting.process.kill()
        self._registry.dispose(waiting.process, at_once=bool(waiting.memory.calls), cause=cause)

    def give_up_of(self, owner: str) -> None:
        """End all that were told words of this owner's."""
        self.give_up([one for one in list(self._waiting) if one.told and one.owner == owner], "revoked")

    def look(self, which: Callable[[Waiting], bool], seconds: float, act: Callable[[Waiting], bool]) -> bool:
        """Have the first that is so do something as long as it waits: `act` until it says True, or for `seconds`.

        Nobody can take it while `act` runs, which must be quick. Raises ProxyError when the process is gone.
        """
        with self._lock:
            found = next((one for one in self._waiting if which(one)), None)
        deadline = time.monotonic() + seconds
        while found is not None and time.monotonic() < deadline:
            with self._lock:
                if found not in self._waiting:
                    return False
                if act(found):
                    return True
            found.process.readable(0.5)
        return False

    def close(self) -> None:
        """Let nothing wait any longer; idempotent."""
        self.closed = True
        self.give_up(list(self._waiting), "surplus")

    def _best(
        self, fit: Sequence[Waiting], lineage: Sequence[bytes], steps: Sequence[Turn], *, going_back: bool
    ) -> Taken | None:
        found: list[tuple[tuple[int, bool, bool], Taken]] = []
        for one in fit:
            place = one.memory.place(lineage, steps, going_back=going_back)
            known = one.memory.knows(lineage)
            if place is None or (place == 0 and not known and not self._may_begin_anew(one)):
                continue
            undone = place < len(one.memory.lines) or not one.memory.exact
            found.append(((place, known, not undone), Taken(one, place)))
        # Of equals the one that was used last, whose client is the most likely to ask; anew the least wanted.
        if not found:
            return None
        rank, best = max(reversed(found), key=lambda pair: pair[0])
        if rank == (0, False, False):
            anew = [taken.waiting for _, taken in found]
            short = [one for one in anew if len(one.memory.lines) <= SHORT]
            return Taken(_least_wanted(short or anew, 1)[0])
        return best

    def _may_begin_anew(self, one: Waiting) -> bool:
        """Tell whether the process of a conversation may be used for another: where it costs that one next to nothing.

        Or where it would be given up anyway, or would have to be replaced by one started now.
        """
        if one.memory.calls and one.goes_on:
            return False
        if len(one.memory.lines) <= SHORT:
            return True
        told = [other for other in self._waiting if other.told]
        spares = any(other.ready and other.spare for other in self._waiting)
        return len(told) >= self.limit or not spares


def _least_wanted(told: Sequence[Waiting], number: int) -> list[Waiting]:
    """Return so many: first those whose client has gone on in another, by its own hint, then the longest unused."""
    newer: set[str] = set()
    left_behind = []
    for one in reversed(told):
        if one.affinity and one.affinity in newer:
            left_behind.append(one)
        newer.add(one.affinity)
    ranked = [*reversed(left_behind), *(one for one in told if one not in left_behind)]
    return ranked[: max(0, number)]


def memory_is_scarce() -> bool:
    """Tell whether the machine has better uses for its memory than processes that wait."""
    return psutil.virtual_memory().available < SCARCE
