"""What answers conversations, as the web sees it: it takes them in, runs a turn for each, and tells how it is.

`app.claude` is the one that does; the tests of the web have one of forty lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, Protocol

import msgspec

from app.cancellation import Cancellation
from app.conversation import Conversation
from app.errors import ProxyError
from app.events import Event, Usage

# None while something else has to come first, then the conversation to go on with.
Preparation = Iterator[Conversation | None]
# Is told each line, or some, that goes to a process of the CLI or comes from it, and the process's pid.
Tap = Callable[[Literal["outgoing", "incoming"], int, bytes], None]


class Correction(msgspec.Struct, frozen=True):
    """What is found out about a turn's use after its end: so much more, or less.

    `dollars` are at list price; `priced` says that they were not known before.
    """

    usage: Usage
    dollars: float = 0.0
    priced: bool = False


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
    def asks(self) -> str:
        """The model that it asks now: the conversation's, or after that one's refusal the next of its `fallback`."""

    def stay(self) -> None:
        """Ask no other model from now on, since the client could no longer be told."""

    @property
    def model(self) -> str | None:
        """The model that answers, from the first event on."""

    @property
    def served(self) -> str | None:
        """The kind of process that answers, from the first event on."""

    @property
    def extra_usage(self) -> bool:
        """Whether extra usage pays for it, beyond the plan: as far as it is known now, for certain at the end."""

    @property
    def usage(self) -> Usage:
        """Its tokens, at the end."""

    @property
    def dollars(self) -> float | None:
        """What they would have cost at list price, at the end, where that is known by then."""

    def hand_over(self, later: Callable[[Correction], object]) -> None:
        """Leave tokens and dollars as they are from now on; what is found out afterwards is told to `later`."""

    @property
    def stop_reason(self) -> str | None:
        """Why the answer ended, at the end."""

    @property
    def error_code(self) -> str | None:
        """The code of the error that ended it, after a failure."""

    @property
    def error_words(self) -> str | None:
        """What that error says, without what was said."""

    @property
    def first_token_ms(self) -> int | None:
        """When its first token came, in milliseconds."""

    @property
    def queued_ms(self) -> int | None:
        """How long it waited for a slot, in milliseconds."""


class Count(msgspec.Struct, frozen=True):
    """How many tokens a conversation has; where it is not `exact` some of them were estimated."""

    tokens: int
    exact: bool


class SlotCounts(msgspec.Struct, frozen=True):
    """How many turns may run at the same time, how many do, and how many wait."""

    limit: int
    running: int
    waiting: int


class Spares(msgspec.Struct, frozen=True):
    """How many started processes are wanted, and how many have started and wait."""

    wanted: int
    ready: int


class Kept(msgspec.Struct, frozen=True):
    """Processes kept for their conversation's next turn, or for tools' results."""

    limit: int
    idle: int
    parked: int


class ProcessCounts(msgspec.Struct, frozen=True):
    """Processes that live, and how many were started and ended, each by its cause."""

    live: int
    started: Mapping[str, int]
    ended: Mapping[str, int]


# The plan's windows that hold for all models, by how long they are, in seconds; any other is of one family.
WINDOW_SECONDS = {"five_hour": 5 * 3600.0, "seven_day": 7 * 86400.0}
WINDOW_WORDS = {"five_hour": "five hours", "seven_day": "week"}


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


class Extra(msgspec.Struct, frozen=True):
    """Extra usage that pays where a window is used up: for which models, as in `Limit`, since when and until when.

    Times are in unix seconds; `accepted` says that an operator has let requests through until its end.
    """

    window: str
    models: str
    since: float
    until: float
    accepted: bool = False

    def covers(self, family: str) -> bool:
        """Tell whether it pays for the models of a family."""
        return self.models in {"all", family}


class PlanStatus(msgspec.Struct, frozen=True):
    """The windows seen so far, by name, those that are used up, and the extra usage that pays beyond them.

    `refuses_extra` says that requests which it would pay for are refused, `name` the plan's where the CLI has told it.
    """

    windows: Mapping[str, Window]
    limits: list[Limit]
    extra: list[Extra] = []
    refuses_extra: bool = False
    name: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the backend at this moment, as far as it is known without waiting.

    `promises` are those of the CLI that serves, by outcome, empty before its proof; `put_aside` says that another one
    serves than the one that was found. `unproven` is why the last proof could not be made. `login` is a digest that
    tells the login from others, None where it is not known yet or the CLI names no account.
    """

    slots: SlotCounts
    spares: Spares
    agents: Spares
    kept: Kept
    processes: ProcessCounts
    plan: PlanStatus
    promises: Mapping[str, int]
    put_aside: bool
    unproven: str | None = None
    login: str | None = None


class ProofStatus(msgspec.Struct, frozen=True, omit_defaults=True):
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
    proof: ProofStatus | None = None


class Readiness(msgspec.Struct, frozen=True):
    """Whether a request would be answered, as far as can be told without spending a token; `reason` is why not.

    `paid_by` says who pays for it: `plan`, `extra usage`, `api key`, `Bedrock`, …, or `unknown`.
    """

    reason: str | None
    cli: Cli
    login: str
    paid_by: str = "unknown"


class Backend(Protocol):
    """Answers conversations. Thread-safe."""

    @property
    def draining(self) -> bool:
        """Whether it takes no more requests."""

    def open(self) -> None:
        """Get ready to serve, in the process that does. Raises ConfigError."""

    def admit(self, *models: str) -> tuple[str, ...]:
        """Let a request in, once, however many turns it takes; return the first model that may be asked, and the rest.

        Raises PlanLimit or ExtraUsage, of the first model, where none may be asked.
        """

    def check_room(self, client: str, turns: int) -> None:
        """Raise QueueFull or ShuttingDown unless so many turns of a client can all begin or wait now."""

    def resume(self) -> list[Extra]:
        """Accept the extra usage that is known now until its end; return it. Raises ProxyError."""

    def run(
        self,
        conversation: Conversation,
        cancellation: Cancellation,
        preparation: Preparation | None = None,
        *,
        client: str = "",
        tap: Tap | None = None,
    ) -> Turn:
        """Return the turn of a conversation; it starts when it is iterated. `cancellation` ends it from outside.

        Where there is a `preparation` it begins with that, which gives the conversation to go on with. Slots and queue
        are shared out fairly over the `client`s. `tap` is told the lines to and from the CLI. Close the turn when done.
        Raises QueueFull or ShuttingDown.
        """

    def count(
        self, conversation: Conversation, cancellation: Cancellation, *, client: str = "", tap: Tap | None = None
    ) -> Count:
        """Count the tokens of a conversation without asking a model; it waits for a slot as a turn does.

        `cancellation` ends it from outside, `tap` is told the lines to and from the CLI.
        Raises QueueFull, ShuttingDown, or NotOffered where it cannot be done.
        """

    def forget(self, owner: str) -> None:
        """End all that waits and knows words of this owner, whose key is gone."""

    def status(self) -> Status:
        """Return its state without waiting; it has old figures of the plan refreshed in the background."""

    @property
    def login(self) -> str | None:
        """What tells the login from others, as in `Status`; it asks nobody."""

    @property
    def windows(self) -> Mapping[str, Window]:
        """The plan's windows by name, as they were told last; it asks nobody."""

    def remember(self, windows: Mapping[str, Window]) -> None:
        """Take over windows of its login that were seen before it began, where it has not seen them itself."""

    def readiness(self) -> Readiness:
        """Return whether it could answer; it may run the CLI, and take a second."""

    def drain(self, seconds: float) -> None:
        """Take no more requests, give the running turns `seconds` to end, then end them with ShuttingDown."""

    def close(self) -> None:
        """End every turn and every process; idempotent and bounded."""
