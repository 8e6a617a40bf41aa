"""Processes that wait with an opening told already: the way to an early first token where openings recur.

What a CLI does for its first turn takes it longer than for any other: it takes in the system prompt and the tools, and
runs code for the first time. A primed process has that behind it. It was given an opening and one line of ours that it
did not answer, and was taken back to before that line: nothing of a conversation is in it, and no model was asked.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable

from app.claude import opening
from app.claude.binary import Binary
from app.claude.channel import REWIND, Channel
from app.claude.deadlines import Deadlines
from app.claude.kept import Kept, memory_is_scarce
from app.claude.lines import control_line, user_line
from app.claude.openings import Openings
from app.claude.process import Process
from app.claude.protocol import Result
from app.claude.registry import Registry
from app.claude.spares import INSPECTION, LAST_START, LONGEST_PAUSE, START_TIMEOUT, Spare
from app.claude.tools import ToolServer
from app.conversation import Conversation, TextBlock
from app.errors import ProxyError

log = logging.getLogger(__name__)

# What the CLI takes in and forgets again; it goes nowhere.
LINE = (TextBlock("Hello."),)


class Primed:
    """Keeps a process for each of the `limit` openings that recur most, for `seconds` after the last use. Thread-safe.

    `start` starts a process of the executable that `current` tells. One that cannot be primed is left alone.
    """

    def __init__(
        self,
        limit: int,
        seconds: float,
        *,
        current: Callable[[], Binary],
        start: Callable[[], Spare],
        registry: Registry,
    ) -> None:
        self.limit = limit
        self._current = current
        self._start = start
        self._registry = registry
        self._lock = threading.Lock()
        self._openings = Openings(seconds)
        self._waiting: dict[bytes, Kept] = {}
        self._wake = threading.Event()
        self._closed = False
        self._paused_until = 0.0
        self._unfit: Binary | None = None
        self._thread = threading.Thread(target=self._keep, name="primed", daemon=True)

    @property
    def ready(self) -> int:
        """How many processes wait."""
        return len(self._waiting)

    def note(self, conversation: Conversation, digest: bytes) -> None:
        """Take note that a conversation began, or was told from its beginning: its opening may be wanted again."""
        # With tools of its own the CLI may do more with a line than take it in: it may run the user's hooks.
        if not self.limit or conversation.own_tools or self._closed:
            return
        with self._lock:
            self._openings.note(conversation, digest)
            if self._thread.ident is None:
                self._thread.start()
        self._wake.set()

    def take(self, digest: bytes, binary: Binary) -> Kept | None:
        """Return, for good, a living process of this executable that has been told the opening of this digest."""
        with self._lock:
            primed = self._waiting.pop(digest, None)
        if primed is None or (primed.binary == binary and primed.process.alive):
            return primed
        self._registry.dispose(primed.process, at_once=False)
        return None

    def close(self) -> None:
        """Keep nothing any longer; idempotent."""
        self._closed = True
        self._wake.set()
        self._drop(list(self._waiting))

    def join(self) -> None:
        """Wait, after `close`, for the end of a start that is under way; bounded."""
        if self._thread.is_alive():
            self._thread.join(LAST_START)

    def _keep(self) -> None:
        while not self._closed:
            self._wake.wait(INSPECTION if self._waiting else None)
            self._wake.clear()
            try:
                self._inspect()
            except ProxyError as error:
                if self._closed:
                    return  # `close` ended it in the midst of its start
                # The spares meet the same trouble, and tell of it.
                self._paused_until = time.monotonic() + LONGEST_PAUSE
                log.info("not primed code=%s error=%s", error.code, error.message)
            except Exception:
                self._paused_until = time.monotonic() + LONGEST_PAUSE
                log.exception("not primed")

    def _inspect(self) -> None:
        with self._lock:
            wanted = {} if memory_is_scarce() else self._openings.recurring(self.limit, self._waiting)
            waiting = self._waiting.items()
            surplus = [digest for digest, primed in waiting if digest not in wanted or not primed.process.alive]
        self._drop(surplus)
        if not wanted or time.monotonic() < self._paused_until:
            return
        binary = self._current()
        self._drop([digest for digest, primed in list(self._waiting.items()) if primed.binary != binary])
        for digest, conversation in wanted.items():
            if digest in self._waiting or self._closed or not binary.capabilities.going_back or binary == self._unfit:
                continue
            self._add(digest, conversation)

    def _add(self, digest: bytes, conversation: Conversation) -> None:
        spare = self._start()
        try:
            channel = prime(spare.process, conversation, composed=spare.binary.capabilities.composed)
        except BaseException:
            self._registry.dispose(spare.process, at_once=True)
            raise
        if not channel.rewound:
            self._unfit = spare.binary
            log.info("claude %s cannot be primed", spare.binary.version_text)
            self._registry.dispose(spare.process, at_once=True)
            return
        primed = Kept(spare.process, spare.binary, channel.tools, digest, 0, models=channel.models)
        with self._lock:
            self._waiting[digest] = primed
        if self._closed:
            self.close()

    def _drop(self, digests: list[bytes]) -> None:
        with self._lock:
            # A request may have been faster.
            dropped = [self._waiting.pop(digest) for digest in digests if digest in self._waiting]
        for primed in dropped:
            self._registry.dispose(primed.process, at_once=False)


def prime(process: Process, conversation: Conversation, *, composed: bool) -> Channel:
    """Tell a fresh process the opening of a conversation, and nothing that stays. Raises ProxyError.

    The channel says whether that was so: whether it has been `rewound`.
    """
    channel = Channel(process, ToolServer(conversation.offered), Deadlines(START_TIMEOUT, START_TIMEOUT))
    name = str(uuid.uuid4())
    channel.write(opening.lines(conversation) + user_line(LINE, ask=False, composed=composed, uuid=name))
    while not any(isinstance(line, Result) for line in channel.read()):
        pass
    channel.write(control_line(REWIND, "rewind_conversation", target_message_uuid=name))
    while channel.rewound is None:
        channel.read()
    return channel
