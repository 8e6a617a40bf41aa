"""How a probe can end early."""

from __future__ import annotations


class Broken(Exception):
    """The executable does not keep a promise; the text says what was seen."""


class Refused(Broken):
    """The executable says itself that it does not do what was asked; the process is as it was."""


class Unprovable(Exception):
    """The executable could not be tried, for a reason that is not its own; it is tried again later."""
