"""How long the server is silent: `/health` is asked every few milliseconds, from a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import sys
import time
from pathlib import Path

import psutil
from server import Server

# The process that asks imports this module anew, from wherever the tests were called.
ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)

PAUSE = 0.01
PATIENCE = 60.0


class Pulse:
    """Asks until it is closed. `silence` is the longest time, in seconds, between a question and its answer.

    Where the machine has other work, that is no measure of the server: `held` is the most CPU time, in seconds, that
    the worker took between a question and its answer; `late` is how much later than it wanted the pulse came to ask.
    """

    def __init__(self, server: Server) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._silence, self._held, self._late = (spawn.Value("d", 0.0) for _ in range(3))
        self._asked = spawn.Value("i", 0)
        self._since = spawn.Value("d", 0.0)  # when the question was asked that is not answered yet
        figures = (self._silence, self._held, self._late, self._asked, self._since)
        self._process = spawn.Process(target=_beat, args=(server.port, server.worker().pid, figures), daemon=True)
        self._process.start()
        self.settle()

    @property
    def silence(self) -> float:
        """The longest silence since `settle`, one that goes on included."""
        since = self._since.value
        return max(self._silence.value, time.monotonic() - since if since else 0.0)

    @property
    def held(self) -> float:
        """The most CPU time of the worker in one silence, since `settle`."""
        return float(self._held.value)

    @property
    def late(self) -> float:
        """How long the machine kept it from asking, at worst, since `settle`."""
        return float(self._late.value)

    def settle(self) -> None:
        """Begin to count, when the server answers and has done so a few times."""
        deadline = time.monotonic() + PATIENCE
        before = self._asked.value
        while self._asked.value < before + 5:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(PAUSE)
        self._silence.value = self._held.value = self._late.value = 0.0

    def close(self) -> None:
        """Ask no more."""
        self._process.kill()
        self._process.join()


def _beat(port, pid, figures) -> None:
    silence, held, late, asked, since = figures
    worker = psutil.Process(pid)
    before = 0.0
    with contextlib.suppress(OSError):
        os.nice(-10)  # where that is allowed
    while True:
        wanted = time.monotonic() + PAUSE
        time.sleep(PAUSE)
        began = time.monotonic()
        late.value = max(late.value, began - wanted)
        since.value = began
        with contextlib.suppress(psutil.Error):  # it may have died
            before = _cpu(worker)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            try:
                connection.request("GET", "/health")
                connection.getresponse().read()
            finally:
                connection.close()
            asked.value += 1
        since.value = 0.0
        silence.value = max(silence.value, time.monotonic() - began)
        with contextlib.suppress(psutil.Error):
            held.value = max(held.value, _cpu(worker) - before)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
