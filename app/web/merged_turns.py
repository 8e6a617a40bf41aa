"""Several turns side by side, for requests that want more than one choice."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence

from app.claude.run import Run
from app.errors import ClientGone, ProxyError
from app.events import ChoiceEvent, Event

# How many batches may wait for a slow client, over all turns; then the turns wait.
MAX_WAITING = 64
TICK_SECONDS = 1.0
MAX_END_SECONDS = 5.0


class MergedTurns:
    """The batches of several runs as they come, each event marked with its run's place.

    The first failure ends them all. Close it as one closes a run.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._queue: queue.Queue[tuple[int, list[Event] | Exception | None]] = queue.Queue(MAX_WAITING)
        self._closed = threading.Event()
        self._reason: ProxyError = ClientGone("The client left.")  # why runs that are still going are ended
        self._threads = [
            threading.Thread(target=self._follow, args=(place, run), daemon=True) for place, run in enumerate(runs)
        ]
        self._batches = self._generate()

    def __iter__(self) -> Iterator[list[Event]]:
        """Return the one iterator over batches; it raises what a run raises."""
        return self._batches

    def close(self) -> None:
        """End the runs that are still going; idempotent."""
        self._batches.close()
        self._stop()

    def _generate(self) -> Generator[list[Event]]:
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        try:
            while running:
                try:
                    place, item = self._queue.get(timeout=TICK_SECONDS)
                except queue.Empty:
                    yield []
                    continue
                if item is None:
                    running -= 1
                elif isinstance(item, Exception):
                    self._reason = item if isinstance(item, ProxyError) else self._reason
                    raise item
                else:
                    yield [ChoiceEvent(place, event) for event in item]
        finally:
            self._stop()

    def _follow(self, place: int, run: Run) -> None:
        try:
            for batch in run:
                if batch and not self._put(place, batch):
                    return
            self._put(place, None)
        except Exception as error:  # noqa: BLE001 - raised again where the batches are read
            self._put(place, error)
        finally:
            run.close()

    def _put(self, place: int, item: list[Event] | Exception | None) -> bool:
        while not self._closed.is_set():
            try:
                self._queue.put((place, item), timeout=TICK_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def _stop(self) -> None:
        self._closed.set()
        for run in self._runs:
            if run.stop_reason is None:
                run.cancellation.cancel(self._reason)
        for thread in self._threads:
            # A cancelled run ends with its next tick; only its own thread may close it before.
            if thread.ident is not None:
                thread.join(MAX_END_SECONDS)
