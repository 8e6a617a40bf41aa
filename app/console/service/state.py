"""What a service manager says of the service."""

from __future__ import annotations

from typing import NamedTuple


class ServiceState(NamedTuple):
    """`installed`: its file is there; `loaded`: the manager knows it; `pid` while it runs; `problem`: nobody to ask."""

    installed: bool
    loaded: bool
    pid: int | None
    note: str = ""
    problem: str | None = None

    @classmethod
    def unknown(cls, installed: bool, problem: str) -> ServiceState:  # noqa: FBT001
        """Return what is left to say where the manager does not answer; `problem` is the sentence for it."""
        return cls(installed, loaded=False, pid=None, problem=problem)

    @property
    def text(self) -> str:
        """One phrase for a reader."""
        if not self.installed:
            return "not installed"
        running = f"running, pid {self.pid}" if self.pid else "not running"
        return f"installed, {running}" + (f" ({self.note})" if self.note and not self.pid else "")
