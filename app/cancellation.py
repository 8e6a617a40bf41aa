"""The one way to end a turn from outside: a client that left, a server that stops."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.errors import ProxyError


class Cancellation:
    """A flag that is raised once, with a reason, and then calls the one callback that was registered.

    Thread-safe. `cancel` may be called any number of times; the first reason stays.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callback: Callable[[], None] | None = None
        self.reason: ProxyError | None = None

    def cancel(self, reason: ProxyError) -> None:
        """Raise the flag and call the registered callback, if any."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason
            callback = self._callback
        if callback is not None:
            callback()

    def on_cancel(self, callback: Callable[[], None] | None) -> None:
        """Register what `cancel` calls, in place of the callback before. It is called at once if the flag is raised."""
        with self._lock:
            self._callback = callback
            cancelled = self.reason is not None
        if cancelled and callback is not None:
            callback()

    def check(self) -> None:
        """Raise the reason if the flag is raised."""
        if self.reason is not None:
            raise self.reason
