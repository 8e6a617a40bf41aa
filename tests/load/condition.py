"""What a server takes of the system, before and after."""

from __future__ import annotations

import dataclasses
import signal
import time

from server import Server, until

from tests.bench.served import memory

# What the memory of a Python that has been busy may vary by, in MB.
BREATH = 12.0
# How long the pipes of a process that has ended may take to be closed, in seconds.
SETTLING = 5.0


@dataclasses.dataclass(frozen=True)
class Condition:
    """Of the worker: MB of memory, descriptors, greenlets, threads; CLI processes; turns, and requests that wait."""

    memory: float
    descriptors: int
    greenlets: int
    threads: int
    processes: int
    running: int
    waiting: int

    @classmethod
    def now(cls, server: Server) -> Condition:
        worker = server.worker()
        counts = (worker.num_fds(), _greenlets(server), worker.num_threads(), len(server.children()))
        return cls(memory(worker), *counts, *server.slots())

    @classmethod
    def at_rest(cls, server: Server) -> Condition:
        """Return it when no turn runs and no process is kept any longer; or as it is when that does not come."""

        def rests() -> bool:
            ready = server.get("/ready")[1]
            waiting = ready["kept"]["idle"] + ready["kept"]["parked"]
            return waiting == 0 and server.is_whole()

        try:
            until(rests, 90, "rest")
        except AssertionError as error:
            print(f"  {error}")
        time.sleep(SETTLING)
        return cls.now(server)

    def leaks(self, after: Condition) -> list[str]:
        """Return what has become more."""
        found = []
        for field in dataclasses.fields(self):
            was, became = getattr(self, field.name), getattr(after, field.name)
            if became > was + (BREATH if field.name == "memory" else 0):
                found.append(f"{field.name}: {was:.1f} before, {became:.1f} after")
        return found

    def __str__(self) -> str:
        """Name the figures."""
        return (
            f"worker {self.memory:.1f} MB, {self.descriptors} descriptors, {self.greenlets} greenlets, "
            f"{self.threads} threads, "
            f"{self.processes} CLI processes, slots {self.running}/{self.waiting}"
        )


def _greenlets(server: Server) -> int:
    """Return how many greenlets the worker has, as tests/load/gunicorn_config.py has it tell."""
    told = server.state / "greenlets"
    told.unlink(missing_ok=True)
    server.worker().send_signal(signal.SIGUSR2)
    until(told.exists, what="the number of greenlets")
    return int(told.read_text())
