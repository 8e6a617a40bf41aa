"""What a stand-in has seen: the requests in order, what was refused, how many streams are open or were left."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

# So many refusals are remembered where nothing else is kept.
MAX_REFUSED = 100


@dataclasses.dataclass(frozen=True)
class Recorded:
    """One request: lower-case header names, the body if it was a JSON object, its size in bytes, monotonic seconds."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any] | None
    size: int
    at: float


class Journal:
    """The record of one stand-in, written by every connection's thread; without `keep`, counts and first refusals."""

    def __init__(self, *, keep: bool = True) -> None:
        self.requests: list[Recorded] = []
        self.messages: list[dict[str, Any]] = []
        self.rejected: list[tuple[int, str]] = []
        self.active = 0
        self.disconnects = 0
        self._keep = keep
        self._closed = False
        self._lock = threading.Lock()

    def arrived(self, request: Recorded) -> None:
        """Note a request, whatever it is."""
        if self._keep:
            self.requests.append(request)

    def accepted(self, body: dict[str, Any]) -> None:
        """Note the body of a request for a message that is going to be answered."""
        if self._keep:
            self.messages.append(body)

    def refused(self, status: int, message: str) -> None:
        """Note a request that was refused."""
        if self._keep or len(self.rejected) < MAX_REFUSED:
            self.rejected.append((status, message))

    def close(self) -> None:
        """Stop counting disconnects: from now on it is this side that hangs up."""
        self._closed = True

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Count one answer as active; a client that leaves before its end is counted and the error swallowed."""
        with self._lock:
            self.active += 1
        left = 0
        try:
            yield
        except ConnectionError:
            left = 0 if self._closed else 1
        finally:
            with self._lock:
                self.active -= 1
                self.disconnects += left
