"""What this server tells the other hosts of itself."""

from __future__ import annotations

import os
import socket
import time

from app.hosts import Host
from app.version import __version__
from app.web.readiness import Verdicts
from app.web.state import State

# How long a verdict is good for, in seconds: as long as nobody has asked anything, each runs the CLI.
VERDICT_SECONDS = 60.0


class OwnHost:
    """This server, as it is at the moment at which it is asked for. Thread-safe."""

    def __init__(self, state: State, verdicts: Verdicts) -> None:
        self._state, self._verdicts = state, verdicts
        self._since = time.time()

    def __call__(self) -> Host:
        """Return what there is to tell; it may run the CLI."""
        backend = self._state.backend
        # Before the rest, of which it may find out some.
        verdict = self._verdicts.within(0.0 if backend.draining else VERDICT_SECONDS)
        status = backend.status()
        return Host(
            name=socket.gethostname(),
            port=self._state.settings.port,
            worker=os.getpid(),
            version=__version__,
            cli=verdict["cli"].get("version"),
            reason=verdict["reason"],
            running=status.slots.running,
            queued=status.slots.waiting,
            shelf=status.spares.ready + status.kept.idle + status.kept.parked,
            plan=status.plan.name,
            windows=status.plan.windows,
            login=status.login,
            since=self._since,
        )
