"""A promise of this server's, and the probe that tries whether an executable keeps it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from app.conversation import Conversation
from app.proof.dialogue import Dialogue
from app.proof.trial import Trial

Probe = Callable[[Dialogue], None]
Inspection = Callable[[Trial], None]


@dataclasses.dataclass(frozen=True)
class Promise:
    """A sentence for people; `essential` where an executable that breaks it is not used at all.

    Where it is broken and not essential, the capability that it `switches` is off.
    """

    name: str
    sentence: str
    essential: bool = False
    switches: str | None = None


class Scene:
    """Probes that share a process: `opening` is what it is told before them."""

    def __init__(self, opening: Conversation) -> None:
        self.opening = opening
        self.probes: list[tuple[Promise, Probe]] = []

    def promise(
        self, sentence: str, *, essential: bool = False, switches: str | None = None
    ) -> Callable[[Probe], Probe]:
        """Take the function for a probe; its name is the promise's. It raises Broken, and is tried in its order."""

        def add(probe: Probe) -> Probe:
            self.probes.append((Promise(probe.__name__, sentence, essential, switches), probe))
            return probe

        return add
