"""What ends the CLI processes of a worker that was killed and could not do so itself.

A process that waits for the results of its calls takes the end of its input for their failure, and asks the API once
more, for as long as the model calls again. The next worker's sweep comes seconds later, or never.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
from collections.abc import Iterable

log = logging.getLogger(__name__)

# It is told all groups that live with each change, and its input ends with the worker, however that ends. One that runs
# tools gets the signal at which it ends them; a tool has a group of its own.
SHELL = "/bin/sh"
SCRIPT = """
trap '' HUP INT TERM
while read -r signal groups; do
    case $signal in KILL) chats=$groups ;; TERM) agents=$groups ;; esac
done
[ -z "$chats" ] || kill -s KILL -- $chats
[ -z "$agents" ] || kill -s TERM -- $agents
"""


class Undertaker:
    """A shell that waits for this worker's death. Without one, nothing but that is missing. Not thread-safe."""

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._closed = False

    def tell(self, chats: Iterable[int], agents: Iterable[int]) -> None:
        """Say which processes live, each the leader of its group: those without tools of their own, and those with."""
        if self._pipe is None and not self._start():
            return
        assert self._pipe is not None  # noqa: S101 - it has started
        lines = [
            " ".join((signal, *(f"-{pid}" for pid in pids))) for signal, pids in (("KILL", chats), ("TERM", agents))
        ]
        try:
            os.write(self._pipe, "".join(f"{line}\n" for line in lines).encode())
        except OSError as error:
            # It died, or stands still. One that knows no better would end whoever has those numbers by then.
            log.warning("no undertaker error=%s", error)
            self.close()

    def close(self) -> None:
        """Need it no longer; idempotent."""
        self._closed = True
        if self._shell is not None:
            self._shell.kill()
            self._shell.wait()
            self._shell = None
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _start(self) -> bool:
        if self._closed:
            return False
        reading, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            self._shell = subprocess.Popen(
                [SHELL, "-c", SCRIPT],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            log.warning("no undertaker error=%s", error)
            self.close()
        finally:
            with contextlib.suppress(OSError):
                os.close(reading)
        return self._pipe is not None
