"""What a request waits for before its turn: its session's turn before, where it has a session, and a slot."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.backend import Preparation
from app.cancellation import Cancellation
from app.claude.cli.deadlines import TICK, Deadlines
from app.claude.turn.slots import Slots
from app.conversation import Conversation


class Admission:
    """Lets one request of a `client` in, after its `preparation`, if it has one. It has its place in the queue at once.

    `silence` tells how long the CLI may be silent in a conversation, in seconds. Raises QueueFull. Call `leave` when
    done.
    """

    def __init__(
        self,
        conversation: Conversation,
        *,
        client: str,
        preparation: Preparation | None,
        slots: Slots,
        deadlines: Deadlines,
        silence: Callable[[Conversation], float],
        cancellation: Cancellation,
    ) -> None:
        self.conversation = conversation
        self._preparation = preparation
        self._deadlines = deadlines
        self._silence = silence
        self._cancellation = cancellation
        self._ticket = slots.enter(client, prepared=preparation is None)

    def wait(self) -> Iterator[None]:
        """Yield as long as it is not let in, at least once a tick. Raises ProxyError when that is not to be."""
        for conversation in self._preparation or ():
            if conversation is not None:
                self.conversation = conversation
                self._deadlines.idle = self._silence(conversation)
            self._check()
            yield
        self._ticket.prepare()
        self._cancellation.on_cancel(self._ticket.leave)
        while not self._ticket.wait(TICK):
            self._check()
            yield
        self._cancellation.check()

    def leave(self) -> None:
        """Give up its place; idempotent."""
        self._ticket.leave()

    def _check(self) -> None:
        self._cancellation.check()
        self._ticket.check()
        self._deadlines.touch()
        self._deadlines.check()
