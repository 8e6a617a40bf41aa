"""Several turns side by side, for requests that want more than one choice."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence

from app.backend import Turn
from app.errors import ClientGone, ProxyError
from app.events import ChoiceEvent, Event

# How many batches may wait for a slow client, over all turns; then the turns wait.
MAX_WAITING = 64
TICK_SECONDS = 1.0
MAX_END_SECONDS = 5.0


class MergedTurns:
    """The batches of several turns as they come, each event marked with its turn's place.

    The first failure ends them all. Close it as one closes a turn.
    """

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = turns
        self._queue: queue.Queue[tuple[int, list[Event] | Exception | None]] = queue.Queue(MAX_WAITING)
        self._closed = threading.Event()
        self._reason: ProxyError = ClientGone("The client left.")  # why turns that are still going are ended
        self._threads = [
            threading.Thread(target=self._follow, args=(place, turn), daemon=True) for place, turn in enumerate(turns)
        ]
        self._batches = self._generate()

    def __iter__(self) -> Iterator[list[Event]]:
        """Return the one iterator over batches; it raises what a turn raises."""
        return self._batches

    def close(self) -> None:
        """End the turns that are still going; idempotent."""
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

    def _follow(self, place: int, turn: Turn) -> None:
        try:
            for batch in turn:
                if batch and not self._put(place, batch):
                    return
            self._put(place, None)
        except Exception as error:  # noqa: BLE001 - raised again where the batches are read
            self._put(place, error)
        finally:
            turn.close()

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
        for turn in self._turns:
            if turn.stop_reason is None:
                turn.cancellation.cancel(self._reason)
        for thread in self._threads:
            # A cancelled turn ends with its next tick; only its own thread may close it before.
            if thread.ident is not None:
                thread.join(MAX_END_SECONDS)
