"""Ends what waits for a database that does not answer: a stopped server keeps its connections, and says nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import psycopg

LOOK_SECONDS = 0.25


class Guard:
    """Shuts the connection of whoever has waited for longer than allowed, who then gets an OperationalError.

    The database's own timeouts end what is slow; they end nothing where it is the database that stands still.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._deadlines: dict[psycopg.Connection, float] = {}
        self._thread = threading.Thread(target=self._work, name="database guard", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def bounded(self, connection: psycopg.Connection, seconds: float) -> Iterator[None]:
        """Let what runs within this have so many seconds."""
        with self._lock:
            self._deadlines[connection] = time.monotonic() + seconds
        try:
            yield
        finally:
            with self._lock:
                self._deadlines.pop(connection, None)

    def close(self) -> None:
        """Watch no longer."""
        self._closed.set()

    def _work(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            now = time.monotonic()
            with self._lock:
                overdue = [connection for connection, deadline in self._deadlines.items() if deadline < now]
                for connection in overdue:
                    del self._deadlines[connection]
                    _shut(connection)


def _shut(connection: psycopg.Connection) -> None:
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as shared:
        shared.shutdown(socket.SHUT_RDWR)
