"""Noticing that a client has left, while its request waits, thinks or streams.

A write notices only at the second attempt, and a request that does not stream writes nothing; the socket's end of
input is the one sign that comes at once, in both modes and in the queue.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import flask

log = logging.getLogger(__name__)

# gunicorn's workers and Werkzeug's development server put the connection into the environ under these names.
SOCKET_KEYS = ("gunicorn.socket", "werkzeug.socket")


def connection_of(environ: Mapping[str, Any]) -> socket.socket | None:
    """Return the connection a request came on, if the server tells."""
    connection = next((environ[key] for key in SOCKET_KEYS if key in environ), None)
    return connection if isinstance(connection, socket.socket) else None


def bound(idle_seconds: float) -> None:
    """Let the current request's client be silent, or not read, for at most so many seconds at a time."""
    connection = connection_of(flask.request.environ)
    if connection is not None:
        connection.settimeout(idle_seconds)


class Disconnects:
    """Watches the sockets of all running requests with one selector and one thread. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._selector: selectors.BaseSelector | None = None
        self._wake: socket.socket | None = None

    @contextlib.contextmanager
    def watch(self, environ: Mapping[str, Any], gone: Callable[[], None], idle_seconds: float) -> Iterator[None]:
        """Call `gone`, at most once and from another thread, if the request's client closes its connection.

        Meanwhile a write to a client that does not read fails after `idle_seconds`.
        """
        connection = connection_of(environ)
        if connection is None:
            yield
            return
        former = connection.gettimeout()
        connection.settimeout(idle_seconds)
        self._register(connection, gone)
        try:
            yield
        finally:
            self._unregister(connection)
            with contextlib.suppress(OSError):
                connection.settimeout(former)

    def _register(self, connection: socket.socket, gone: Callable[[], None]) -> None:
        with self._lock:
            # Not in __init__: the thread must live in the worker, not in a parent that forks it.
            if self._selector is None or self._wake is None:
                self._selector, self._wake = self._start()
            self._selector.register(connection, selectors.EVENT_READ, gone)
            # gevent's selector begins to watch a newcomer only when select is entered anew.
            with contextlib.suppress(BlockingIOError):
                self._wake.send(b"\0")

    def _unregister(self, connection: socket.socket) -> None:
        with self._lock, contextlib.suppress(KeyError, ValueError):
            if self._selector is not None:
                self._selector.unregister(connection)

    def _start(self) -> tuple[selectors.BaseSelector, socket.socket]:
        selector = selectors.DefaultSelector()
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.settimeout(0)
        selector.register(woken, selectors.EVENT_READ, None)
        threading.Thread(target=self._look, args=(selector,), name="disconnects", daemon=True).start()
        return selector, wake

    def _look(self, selector: selectors.BaseSelector) -> None:
        while True:
            for key, _ in selector.select():
                connection = cast("socket.socket", key.fileobj)
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        connection.recv(4096)
                    continue
                if _drops_line_ends(connection):
                    continue
                ended = _ended(connection)
                # Either way it need not be watched any longer: data means a pipelined request.
                with self._lock, contextlib.suppress(KeyError, ValueError):
                    selector.unregister(connection)
                if ended:
                    try:
                        key.data()
                    except Exception:
                        # No other thread watches: this one must survive unforeseen errors.
                        log.exception("disconnect not told")


def _drops_line_ends(connection: socket.socket) -> bool:
    """Take in line ends, which some clients send behind a body and a server has to ignore (RFC 9112, section 2.2)."""
    try:
        pending = connection.recv(64, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        if not pending or pending.strip(b"\r\n"):
            return False
        connection.recv(len(pending), socket.MSG_DONTWAIT)
    except OSError:
        return False
    return True


def _ended(connection: socket.socket) -> bool:
    """Tell whether a readable socket has nothing more to say."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
