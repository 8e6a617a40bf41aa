"""What answers conversations, as the web sees it: it takes them in, runs a turn for each, and tells how it is.

`app.claude` is the one that does; the tests of the web have one of forty lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from app.cancellation import Cancellation
from app.conversation import Conversation
from app.errors import ProxyError
from app.events import Event, Usage

# None while something else has to come first, then the conversation to go on with.
Preparation = Iterator[Conversation | None]


class Turn(Protocol):
    """Batches of events, once, and what became of the turn. Its properties may be read at any time."""

    def __iter__(self) -> Iterator[list[Event]]:
        """Return the one iterator over batches; it raises ProxyError when the turn fails."""

    def note(self, error: ProxyError) -> None:
        """Keep what went wrong while the answer was sent; the first error stays."""

    def close(self) -> None:
        """End the turn if it is still going, and give back what it has; idempotent."""

    @property
    def cancellation(self) -> Cancellation:
        """What ends it from outside."""

    @property
    def model(self) -> str | None:
        """The model that answers, from the first event on."""

    @property
    def served(self) -> str | None:
        """The kind of process that answers, from the first event on."""

    @property
    def usage(self) -> Usage:
        """Its tokens, at the end."""

    @property
    def stop_reason(self) -> str | None:
        """Why the answer ended, at the end."""

    @property
    def error_code(self) -> str | None:
        """The code of the error that ended it, after a failure."""

    @property
    def first_token_ms(self) -> int | None:
        """When its first token came, in milliseconds."""

    @property
    def queued_ms(self) -> int | None:
        """How long it waited for a slot, in milliseconds."""


class Slots(msgspec.Struct, frozen=True):
    """Turns that may run at the same time, that do, and that wait for it."""

    limit: int
    running: int
    waiting: int


class Spares(msgspec.Struct, frozen=True):
    """Processes that are to be kept started, and those that have started and wait."""

    wanted: int
    ready: int


class Kept(msgspec.Struct, frozen=True):
    """Processes kept for their conversation's next turn, or for tools' results."""

    limit: int
    idle: int
    parked: int


class Processes(msgspec.Struct, frozen=True):
    """Processes that live, and how many were started and ended, each by its cause."""

    live: int
    started: Mapping[str, int]
    ended: Mapping[str, int]


class Window(msgspec.Struct, frozen=True):
    """One of the plan's windows: its use in percent, when it begins anew, and when that was told (unix seconds)."""

    used_percent: float | None
    resets_at: float | None
    status: str | None
    seen_at: float


class Limit(msgspec.Struct, frozen=True):
    """A used-up window: the family of models that it refuses, or `all`, until when (unix seconds), in which words."""

    window: str
    models: str
    resets_at: float
    message: str


class Plan(msgspec.Struct, frozen=True):
    """The windows seen so far, by name, and those that are used up."""

    windows: Mapping[str, Window]
    limits: list[Limit]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the backend is at this moment, as far as it can be read off at once.

    `promises` are those of the CLI that serves, by outcome, empty before its proof; `put_aside` says that another one
    serves than the one that was found. `unproven` is why the last proof could not be made.
    """

    slots: Slots
    spares: Spares
    agents: Spares
    kept: Kept
    processes: Processes
    plan: Plan
    promises: Mapping[str, int]
    put_aside: bool
    unproven: str | None = None


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the CLI is proven: since when (unix seconds), of how many promises, and which it does not keep."""

    state: str
    at: float | None = None
    promises: int | None = None
    broken: Mapping[str, str] | None = None


class Cli(msgspec.Struct, frozen=True, omit_defaults=True):
    """The CLI that serves, if it is found, and why it is not the one that was found, if so."""

    found: bool
    put_aside: str | None
    path: str | None = None
    version: str | None = None
    proof: Proof | None = None


class Readiness(msgspec.Struct, frozen=True):
    """Whether a request would be answered, as far as can be told without spending a token; `reason` is why not."""

    reason: str | None
    cli: Cli
    login: str


class Backend(Protocol):
    """Answers conversations. Thread-safe."""

    @property
    def draining(self) -> bool:
        """Whether it takes no more requests."""

    def open(self) -> None:
        """Get ready to serve, in the process that does. Raises ConfigError."""

    def admit(self, model: str) -> None:
        """Let a request for this model in, once, however many turns it takes. Raises PlanLimit."""

    def run(
        self,
        conversation: Conversation,
        cancellation: Cancellation,
        preparation: Preparation | None = None,
        *,
        client: str = "",
    ) -> Turn:
        """Return the turn of a conversation; it starts when it is iterated. `cancellation` ends it from outside.

        Where there is a `preparation` it begins with that, which gives the conversation to go on with. Slots and queue
        are shared out fairly over the `client`s. Raises QueueFull or ShuttingDown. Close the turn when done.
        """

    def forget(self, owner: str) -> None:
        """Let nothing wait any longer that knows words of this owner's, whose key is gone."""

    def status(self) -> Status:
        """Return how it is, at once; what is known of the plan is refreshed soon where it is old."""

    def readiness(self) -> Readiness:
        """Return whether it could answer; it may run the CLI, and take a second."""

    def drain(self, seconds: float) -> None:
        """Take no more requests, give the running turns `seconds` to end, then end them with ShuttingDown."""

    def close(self) -> None:
        """End every turn and every process; idempotent and bounded."""
