"""What an executable may be relied on for, beyond what every version that is served does."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Capabilities:
    """What may differ from one version to the next; nothing else in the program asks for a version.

    The defaults are what needs no proof: each has another way, which works with every version that is served.
    """

    composed: bool = False  # a user line can be marked as a client's own words, else a slash gets a newline in front
    going_back: bool = False  # a process can be taken back to before a user line, else its conversation is told anew
