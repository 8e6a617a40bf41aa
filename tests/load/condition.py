"""What a server takes of the system, before and after."""

from __future__ import annotations

import dataclasses
import time

from server import Server, until

from tests.bench.served import memory

# What the memory of a Python that has been busy may vary by, in MB.
BREATH = 12.0
# How long the pipes of a process that has ended may take to be closed, in seconds.
SETTLING = 5.0


@dataclasses.dataclass(frozen=True)
class Condition:
    """Of the worker: MB of memory, open descriptors, threads; CLI processes; turns that run and requests that wait."""

    memory: float
    descriptors: int
    threads: int
    processes: int
    running: int
    waiting: int

    @classmethod
    def now(cls, server: Server) -> Condition:
        worker = server.worker()
        return cls(memory(worker), worker.num_fds(), worker.num_threads(), len(server.children()), *server.slots())

    @classmethod
    def at_rest(cls, server: Server) -> Condition:
        """Return it when no turn runs and no process is kept any longer; or as it is when that does not come."""

        def rests() -> bool:
            kept = server.get("/ready")[1]["kept"]
            return kept["idle"] + kept["parked"] == 0 and server.is_whole()

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
            f"worker {self.memory:.1f} MB, {self.descriptors} descriptors, {self.threads} threads, "
            f"{self.processes} CLI processes, slots {self.running}/{self.waiting}"
        )
