"""The stand-in itself: a loopback server with a reply that can be swapped while it runs."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
import time
from types import TracebackType
from typing import Any, Self

from app.standin.demo import demo_reply
from app.standin.exchange import Bill, Count, Exchange, MakeReply
from app.standin.journal import Journal, Recorded
from app.standin.stream import input_tokens

HOST = "127.0.0.1"
# Seconds that close() may wait: for the listening thread, and for the connections to end.
CLOSE_SECONDS = 3.0


class StandIn:
    """A Messages API on loopback that answers every accepted request with `reply(body)`, and counts with `count(body)`.

    `bill(body, usage)` is told what each answer has said to have used, at its end, whole or broken off.
    `port` 0 takes a free one. With `validate` off, bodies are answered unchecked; with `record` off, requests are not
    remembered, for one that runs for days. Threads are daemons; `close()` may be called any number of times and takes
    a few seconds at most. Also a context manager, which starts and closes it.
    """

    def __init__(
        self, reply: MakeReply = demo_reply, port: int = 0, *, validate: bool = True, record: bool = True
    ) -> None:
        self.reply = reply
        self.count: Count = input_tokens
        self.bill: Bill = lambda _, __: None
        self.validate = validate
        self.journal = Journal(keep=record)
        self._port = port
        self._url: str | None = None
        self._listener: Listener | None = None

    def start(self) -> None:
        """Listen on loopback; raise OSError when the port is taken."""
        if self._listener is None:
            self._listener = Listener(self._port, type("Exchange", (Exchange,), {"standin": self}), self.journal)
            self._url = f"http://{HOST}:{self._listener.server_address[1]}"

    def close(self) -> None:
        """Stop listening and end every connection."""
        self.journal.close()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    @property
    def url(self) -> str:
        """The base address, without a trailing slash; raise RuntimeError before the first `start()`."""
        if self._url is None:
            raise RuntimeError("the stand-in has not been started")
        return self._url

    @property
    def requests(self) -> list[Recorded]:
        """Every request in order of arrival, whatever its path and its answer."""
        return self.journal.requests

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The bodies of the `POST /v1/messages` requests that were accepted, in order."""
        return self.journal.messages

    @property
    def rejected(self) -> list[tuple[int, str]]:
        """Status and message of every request that was refused by validation, and of every `reply` that raised."""
        return self.journal.rejected

    @property
    def active(self) -> int:
        """How many answers are being made or written now, their delays included."""
        return self.journal.active

    @property
    def disconnects(self) -> int:
        """How many clients left before their answer was complete."""
        return self.journal.disconnects

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A listening socket, the thread that accepts on it, and the connections that are open."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, port: int, exchange: type[Exchange], journal: Journal) -> None:
        super().__init__((HOST, port), exchange)
        self._journal = journal
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="standin", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the accepting thread, then every connection."""
        self._closing.set()
        # Only a connection wakes a blocked accept() on every system; closing the socket under it does not.
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, self.server_address[1]), timeout=CLOSE_SECONDS).close()
        self._thread.join(CLOSE_SECONDS)
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + CLOSE_SECONDS
        while self._open and time.monotonic() < end:
            time.sleep(0.005)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, and remember the connection while it lasts."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that is done."""
        super().shutdown_request(request)
        self._open.discard(request)

    def handle_error(self, *_: Any) -> None:
        """Note an error of the stand-in's own; a connection that broke was counted if it mattered."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self._journal.refused(500, f"the stand-in failed: {error!r}")

    def _accept(self) -> None:
        # Not serve_forever(): it polls through a selector bound at import time, which under gevent would be the
        # blocking one.
        while not self._closing.is_set():
            try:
                request, address = self.get_request()
            except OSError:
                time.sleep(0.01)  # out of file descriptors, or the peer was gone before it was accepted
                continue
            if self._closing.is_set():
                request.close()
            else:
                self.process_request(request, address)
