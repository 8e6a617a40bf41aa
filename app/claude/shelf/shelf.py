"""The processes that wait, told nothing, a set-up or a conversation. The one that knows most of a request gets it.

Telling a conversation anew to another process is always right: whatever waits may be given up at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import psutil

from app.agents.agent import Workplace
from app.claude.cli.binary import Binary
from app.claude.cli.channel import Channel, Deadlines, finished
from app.claude.cli.mcp import McpServers
from app.claude.cli.process import Process
from app.claude.cli.registry import Registry
from app.claude.shelf.memory import Memory, chain
from app.conversation import ClaudeSession, Message
from app.errors import ProxyError

log = logging.getLogger(__name__)

# With less memory available than this no conversation waits: a process takes about 240 MB.
SCARCE_BYTES = 512 * 2**20
# How long more processes than the limit may wait: requests that came at the same time may do so again.
LINGER_SECONDS = 15.0
# How long a process that is given up may take to tell what its last turn has used.
SETTLE_SECONDS = 2.0
# A process is replaced after so many conversations, or this long.
MAX_CONVERSATIONS = 200
MAX_AGE_SECONDS = 3600.0
# A conversation of one question and its answer is told again at no cost, so a new one may have its process.
SHORT_LINES = 2


@dataclasses.dataclass(eq=False)
class Waiting:
    """A process and what it knows; one that was told nothing is a spare, `ready` once it has answered.

    `workplace` is the agent's that it was started for, None for a chat, `servers` are its MCP servers, if it has any,
    `kept` the session whose transcript it writes. `subject` is the digest of what the model reads in its set-up,
    `owner` the identity of the key whose words it was told, `affinity` its client's hint. `goes_on` says whether
    another request may go on from what it knows, and `conversations` counts how many it has begun.
    """

    process: Process
    binary: Binary
    workplace: Workplace | None = None
    servers: McpServers | None = None
    kept: ClaudeSession | None = None
    ready: bool = False
    memory: Memory = dataclasses.field(default_factory=Memory)
    subject: bytes = b""
    owner: str = ""
    affinity: str = ""
    goes_on: bool = True
    conversations: int = 0
    in_advance: bool = True  # it was there before the request that has it
    since: float = 0.0  # when it was put on the shelf, in monotonic seconds

    def __post_init__(self) -> None:
        """Open the channel, which serves all its turns."""
        self.channel = Channel(self.process)

    @property
    def spare(self) -> bool:
        """Whether it was told nothing."""
        return self.memory.setup is None

    @property
    def worn(self) -> bool:
        """Whether it has worked long enough."""
        return self.conversations >= MAX_CONVERSATIONS or time.monotonic() - self.process.started > MAX_AGE_SECONDS

    @property
    def begins_anew(self) -> bool:
        """Whether it can go back to its set-up, and nothing waits for it there."""
        lines = self.memory.lines
        able = self.binary.capabilities.going_back and self.workplace is None and not self.memory.calls
        return able and bool(lines) and lines[0].landmark

    def has_begun(self, steps: Sequence[Message]) -> bool:
        """Tell whether the conversation that it knows begins with the first of these steps, and an answer to it."""
        setup, lines = self.memory.setup, self.memory.lines
        if setup is None or len(lines) < SHORT_LINES or len(steps) <= SHORT_LINES:
            return False
        return chain(setup, steps[:SHORT_LINES])[-1] == lines[SHORT_LINES - 1].digest

    def runs(self, binary: Binary) -> bool:
        """Tell whether it is alive and runs this executable, as it is now."""
        return (self.binary.path, self.binary.stamp) == (binary.path, binary.stamp) and self.process.alive


class Taken(NamedTuple):
    """A process for a turn, and how many of the conversation's steps it knows when it has gone back."""

    waiting: Waiting
    place: int = 0


class Shelf:
    """All that waits, the least recently used first. Thread-safe.

    When all is quiet, at most `limit` processes that were told something wait, each for `seconds`. For a moment there
    may be more, as long as they and the turns that `running` counts are no more than `allowed`.
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
        """Return how many waiting processes match."""
        return sum(map(which, list(self._waiting)))

    @property
    def idle(self) -> int:
        """How many wait for a question, with something told."""
        return self.count(lambda one: not one.spare and not one.memory.calls)

    @property
    def parked(self) -> int:
        """How many wait for the results of tools."""
        return self.count(lambda one: bool(one.memory.calls))

    def undoes(self, waiting: Waiting) -> bool:
        """Tell whether the turn of a process can be undone, and the process wait here to be of use to another."""
        going_back = waiting.binary.capabilities.going_back and waiting.workplace is None
        return going_back and self.limit > 0 and not self.closed

    def put(self, waiting: Waiting) -> None:
        """Let a process wait, or end it if it cannot."""
        waiting.since, waiting.in_advance = time.monotonic(), True
        with self._lock:
            self._waiting.append(waiting)
        if self.closed or (not waiting.spare and (not self.limit or waiting.worn or memory_is_scarce())):
            self.give_up([waiting], "surplus")
        elif not waiting.spare:
            # The turn it comes from still counts as running.
            self.make_room(self._running() - 1)

    def take(
        self, digests: Sequence[bytes], steps: Sequence[Message], workplace: Workplace | None, binary: Binary
    ) -> Taken | None:
        """Return, for good, the living process that knows most of a conversation, or else a spare, or None."""
        with self._lock:
            gone = [one for one in self._waiting if not one.runs(binary)]
            # An agent's process knows more than it was told, so it cannot go back.
            going_back = binary.capabilities.going_back and workplace is None
            fit = [one for one in self._waiting if one not in gone]
            best = self._best(fit, digests, steps, going_back=going_back)
            if best is not None:
                self._waiting.remove(best.waiting)
                best.waiting.binary = binary  # its capabilities may have been proven since
        if gone:
            self.give_up(gone, "surplus")
        return best

    def take_spare(self, workplace: Workplace | None, binary: Binary) -> Waiting | None:
        """Return, for good, a living process that was told nothing, the most ready one; or None."""
        with self._lock:
            spares = [one for one in self._waiting if one.spare and one.workplace == workplace and one.runs(binary)]
            spare = next((one for one in spares if one.ready), spares[0] if spares else None)
            if spare is not None:
                self._waiting.remove(spare)
                spare.binary = binary
        return spare

    def take_about(self, subject: bytes, steps: Sequence[Message], binary: Binary) -> Waiting | None:
        """Return, for good, a process that can be told these steps from the first on, at the least cost to others.

        Its set-up has this `subject`, and it knows the same conversation, or a short one, or nothing; or None.
        """
        able = [one for one in list(self._waiting) if one.subject == subject and one.runs(binary) and one.begins_anew]
        short = [one for one in able if len(one.memory.lines) <= SHORT_LINES]
        found = next((one for one in reversed(able) if one.has_begun(steps)), next(iter(short), None))
        with self._lock:
            if found in self._waiting:
                self._waiting.remove(found)
                found.binary = binary
                return found
        return self.take_spare(None, binary)

    def make_room(self, running: int) -> None:
        """Give up conversations, the least wanted first, until they and the running turns are as many as allowed."""
        with self._lock:
            told = [one for one in self._waiting if not one.spare]
            too_many = len(told) - max(0, self._allowed - max(0, running))
        if too_many > 0:
            self.give_up(_least_wanted(told, too_many), "surplus")

    def tidy(self, binary: Binary | None) -> list[Waiting]:
        """End what has died, waited too long or runs another executable than `binary`, and what is too many.

        Return those whose calls nobody has answered in time, taken off the shelf.
        """
        now = time.monotonic()
        scarce = memory_is_scarce()
        with self._lock:
            told = [one for one in self._waiting if not one.spare]
            overdue = [one for one in told if now - one.since >= self._seconds]
            unwanted = [one for one in self._waiting if binary is not None and not one.runs(binary)]
            unwanted += [one for one in self._waiting if one.worn and (one.spare or not one.memory.calls)]
            unwanted += [one for one in overdue if not one.memory.calls]
            unwanted += [
                one for one in _least_wanted(told, len(told) - self.limit) if now - one.since >= LINGER_SECONDS
            ]
            if scarce:
                unwanted += told
            abandoned = [one for one in overdue if one.memory.calls and one not in unwanted]
            for one in abandoned:
                self._waiting.remove(one)
        if scarce and told:
            log.warning("memory is scarce; gave up processes that wait n=%d", len(told))
        self.give_up(unwanted, "surplus")
        return abandoned

    def give_up(self, unwanted: Collection[Waiting], cause: str) -> int:
        """End those of them that still wait, and return how many; a request may have taken some."""
        with self._lock:
            ended = [one for one in dict.fromkeys(unwanted) if one in self._waiting]
            for one in ended:
                self._waiting.remove(one)
        for one in ended:
            self.discard(one, cause)
        return len(ended)

    def discard(self, waiting: Waiting, cause: str = "surplus") -> None:
        """End a process that does not wait here any longer."""
        if waiting.channel.idle:
            self._registry.dispose(waiting.process, at_once=False, cause=cause)
            return
        # If only its input ended it would take its calls for failed, and ask the API again.
        settle = waiting.process.kill if self.closed else functools.partial(_settle, waiting)
        self._registry.dispose(waiting.process, at_once=True, cause=cause, before=settle)

    def give_up_of(self, owner: str) -> None:
        """End all that were told words of this owner's."""
        self.give_up([one for one in list(self._waiting) if not one.spare and one.owner == owner], "revoked")

    def look(self, which: Callable[[Waiting], bool], seconds: float, act: Callable[[Waiting], bool]) -> bool:
        """Call `act` with the first process that matches, as long as it waits: until it returns True, or for `seconds`.

        The process cannot be taken while `act` runs, which must be quick. Raises ProxyError when the process is gone.
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
        """End all that waits, and accept no more; idempotent."""
        self.closed = True
        self.give_up(list(self._waiting), "surplus")

    def _best(
        self, fit: Sequence[Waiting], digests: Sequence[bytes], steps: Sequence[Message], *, going_back: bool
    ) -> Taken | None:
        found: list[tuple[tuple[int, bool, bool], Taken]] = []
        for one in fit:
            place = one.memory.place(digests, steps, going_back=going_back)
            if place is None:
                continue
            known = one.memory.knows(digests)
            if place == 0 and not known and not self._may_begin_anew(one):
                continue
            undone = place < len(one.memory.lines) or not one.memory.exact
            found.append(((place, known, not undone), Taken(one, place)))
        # Of equals the one that was used last: its client is the most likely to ask. To begin anew, the least wanted.
        if not found:
            return None
        rank, best = max(reversed(found), key=lambda pair: pair[0])
        if rank == (0, False, False):
            anew = [taken.waiting for _, taken in found]
            short = [one for one in anew if len(one.memory.lines) <= SHORT_LINES]
            return Taken(_least_wanted(short or anew, 1)[0])
        return best

    def _may_begin_anew(self, one: Waiting) -> bool:
        """Tell whether the process of a conversation may be used for another.

        It may if that conversation is told again at no cost, if the process would be given up anyway, or if a new one
        would have to be started now.
        """
        if one.memory.calls and one.goes_on:
            return False
        if len(one.memory.lines) <= SHORT_LINES:
            return True
        told = [other for other in self._waiting if not other.spare]
        spares = any(other.ready and other.spare for other in self._waiting)
        return len(told) >= self.limit or not spares


def _settle(waiting: Waiting) -> None:
    """Have a process that waits for the results of its calls end that turn: then it tells what these have cost.

    Nothing is asked of the API. One that takes long is killed.
    """
    channel = waiting.channel
    with contextlib.suppress(ProxyError):
        channel.deadlines = Deadlines(SETTLE_SECONDS, SETTLE_SECONDS)
        channel.interrupt()
        finished(channel.until_idle(SETTLE_SECONDS))
    if not channel.idle:
        waiting.process.kill()


def _least_wanted(told: Sequence[Waiting], number: int) -> list[Waiting]:
    """Return so many: first those whose client has gone on in another, by its own hint, then the longest unused."""
    newer: set[tuple[str, str]] = set()
    left_behind = []
    for one in reversed(told):
        client = one.owner, one.affinity  # anybody may send another's hint
        if one.affinity and client in newer:
            left_behind.append(one)
        newer.add(client)
    ranked = [*reversed(left_behind), *(one for one in told if one not in left_behind)]
    return ranked[: max(0, number)]


def memory_is_scarce() -> bool:
    """Tell whether the machine is short of memory, so that no conversation should wait."""
    return psutil.virtual_memory().available < SCARCE_BYTES
