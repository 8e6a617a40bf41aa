"""What becomes of a process whose turn is over: one decision, pure, for every way a turn can end."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

# After these the CLI asks the API again by itself, at once; even at SIGTERM it still sends that request.
ASKS_ON = frozenset({"max_tokens", "refusal"})


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a turn ended.

    `stop_reason` is None where it did not end by itself: the client left, or it `failed`. `idle` says that the CLI has
    ended it too, `exact` that the process remembers the answer as the client was given it, `asked` that the question
    was told, `sound` that the process did nothing wrong. `goes_on` says that another request may continue the
    conversation, `going_back` that the process may be taken back to before the question, `held` that the CLI asks the
    API nothing more.
    """

    stop_reason: str | None
    idle: bool
    exact: bool
    asked: bool
    sound: bool
    failed: bool
    goes_on: bool
    going_back: bool
    held: bool = False


What = Literal["keep", "undo", "leave", "kill"]


class Fate(NamedTuple):
    """What to do with a process, and why, in a word for the count of ended ones.

    `keep` puts it on the shelf with all it knows; `undo` does so when its turn has been interrupted, with nothing of
    the answer to go on from. `leave` ends its input when the turn has ended; `kill` ends the process at once.
    """

    what: What
    why: str


def fate(ended: Ended) -> Fate:
    """Decide what becomes of a process."""
    over = "turn_over" if ended.stop_reason is not None else "failed" if ended.failed else "cancelled"
    if not ended.sound:
        return Fate("kill", "failed")
    cut = ended.stop_reason in ASKS_ON and not ended.idle
    if cut and not ended.held:
        return Fate("kill", over)
    # A process whose calls nobody will answer is told so now: the next request need not wait for the end of its turn.
    if ended.exact and (ended.goes_on or (ended.going_back and ended.idle)):
        return Fate("keep", over)
    if ended.going_back and ended.asked:
        return Fate("undo", over)
    return Fate("leave" if ended.idle or cut else "kill", over)
