"""Counting one conversation's tokens, from the queue to the end of its process: nothing is asked of a model.

The CLI asks Anthropic's counter, free of charge, for the messages as a turn would send them, and for the system prompt
as for a message of its own. It does not see the tools, which a turn hands to the API past it, so their text is counted
instead, as if the client had written it. A conversation of messages alone is counted exactly.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence

import msgspec

from app.backend import Count, Tap
from app.cancellation import Cancellation
from app.claude.cli import setup
from app.claude.cli.channel import Deadlines, finished
from app.claude.shelf.fate import Ended, fate
from app.claude.shelf.memory import chain, digests_of, steps
from app.claude.shelf.processes import Processes
from app.claude.shelf.shelf import Taken, Waiting
from app.claude.turn.attempt import Attempt
from app.claude.turn.slots import Slots, until_granted
from app.config import Settings
from app.conversation import Conversation, Message, TextBlock
from app.errors import CliFailed, NotLoggedIn, NotOffered, ProxyError

MESSAGES, SYSTEM = "Messages", "System prompt"
# What the API says to the model about tools as such, in tokens:
# https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview#pricing
TOOLS_PREAMBLE_TOKENS = 346
# The sizes of so many sets of tools are remembered.
MAX_REMEMBERED = 256


class ToolSizes:
    """How many tokens sets of tools have, the last ones seen. Thread-safe enough: at worst one is counted twice."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, int] = OrderedDict()

    def find(self, key: bytes) -> int | None:
        """Return what was noted."""
        return self._known.get(key)

    def note(self, key: bytes, tokens: int) -> None:
        """Remember a number, and forget the oldest."""
        self._known[key] = tokens
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)


class Counting:
    """Counts one conversation; call `result` once. `cancellation` ends it from outside."""

    def __init__(
        self,
        conversation: Conversation,
        *,
        client: str,
        cancellation: Cancellation,
        settings: Settings,
        slots: Slots,
        processes: Processes,
        sizes: ToolSizes,
        over: Callable[[Counting], None],
        tap: Tap | None = None,
    ) -> None:
        self.cancellation = cancellation
        self._conversation = conversation
        self._deadlines = Deadlines(settings.timeout, settings.idle_timeout)
        self._slots = slots
        self._ticket = slots.enter(client)
        self._processes = processes
        self._sizes = sizes
        self._over = over
        self._tap = tap

    def result(self) -> Count:
        """Return the number. Raises ProxyError."""
        try:
            for _ in until_granted(self._ticket, self.cancellation, self._deadlines):
                pass
            self._check_able()
            return self._counted()
        except ProxyError as error:
            if isinstance(error, NotLoggedIn):
                self._processes.login.failed()
            raise self.cancellation.reason or error from None
        finally:
            self.cancellation.on_cancel(None)
            self._slots.leave(self._ticket)
            self._over(self)

    def _check_able(self) -> None:
        binary = self._processes.locator.current()
        if not binary.capabilities.counting:
            remedy = self._processes.locator.remedy(binary)
            raise NotOffered(
                f"claude {binary.version_text} is not known to count tokens without asking a model; "
                f"`claude-max-api prove` tries it, and `{remedy}` brings another version."
            )

    def _counted(self) -> Count:
        """Count; where a process that was there before the request fails, once more with a new one."""
        told = steps(self._conversation.messages)
        waiting = self._processes.take_about(self._conversation, told)
        try:
            return self._counted_by(waiting, told)
        except CliFailed:
            if not waiting.in_advance or self.cancellation.reason is not None:
                raise
        return self._counted_by(self._processes.start(self._processes.locator.current()), told)

    def _counted_by(self, waiting: Waiting, told: Sequence[Message]) -> Count:
        self.cancellation.on_cancel(waiting.process.kill)
        self._deadlines.touch()
        try:
            count = finished(self._count(waiting, told))
        except BaseException:
            self._processes.registry.dispose(waiting.process, at_once=True, cause="failed")
            raise
        self.cancellation.on_cancel(None)
        waiting.channel.tap = None
        waiting.affinity = self._conversation.affinity
        # It knows the conversation as far as the next turn needs it, but the question is unanswered: it has to go back.
        end = fate(
            Ended(
                stop_reason="end_turn",
                idle=True,
                exact=True,
                asked=False,
                sound=True,
                failed=False,
                goes_on=False,
                going_back=self._processes.shelf.undoes(waiting),
            )
        )
        self._processes.part_with(waiting, end.what, end.why, interrupted=False)
        return count

    def _count(self, waiting: Waiting, told: Sequence[Message]) -> Generator[object, None, Count]:
        tools = setup.tools(self._conversation)
        tools_tokens = 0
        if tools:
            text = msgspec.json.encode(tools)
            key = hashlib.sha256(self._conversation.model.encode() + b"\n" + text).digest()
            known = self._sizes.find(key)
            if known is None:
                as_text = (Message("user", (TextBlock(text.decode()),)),)
                parts, counted = yield from self._parts(waiting, as_text)
                known = parts[MESSAGES]
                if counted:
                    self._sizes.note(key, known)
            tools_tokens = TOOLS_PREAMBLE_TOKENS + known
        parts, counted = yield from self._parts(waiting, told)
        system = parts.get(SYSTEM, 0)
        return Count(parts[MESSAGES] + system + tools_tokens, exact=counted and not tools and not system)

    def _parts(self, waiting: Waiting, told: Sequence[Message]) -> Generator[object, None, tuple[dict[str, int], bool]]:
        """Tell a process these steps alone, and return its tokens by parts, and whether the counter counted them."""
        start = waiting.memory.setup
        digests = digests_of(self._conversation, told) if start is None else chain(start, told)
        attempt = Attempt(Taken(waiting), self._conversation, told, digests, self._deadlines, tap=self._tap)
        yield from attempt.told()
        parts = yield from attempt.channel.count()
        if not parts.get(MESSAGES):
            raise CliFailed("The claude CLI counted no tokens; run `claude update`, or see the log.", code="cli_error")
        rough = yield from attempt.channel.count(roughly=True)
        # Without an answer of the counter the CLI gives its own estimate, and does not say so.
        return parts, rough.get(MESSAGES) not in {None, parts[MESSAGES]}
