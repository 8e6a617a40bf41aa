"""Open connections: how long each may take to ask, and which are closed when there are too many.

Anyone who can reach the port can open connections and leave their requests unfinished, without a key. Here a
connection counts from its beginning until it has asked, which means until its head and its body are in. Those that
answer a request are left alone; the queue, the slots and the keys bound them.

gunicorn's gevent worker keeps no deadline for a head, and with all its connections taken it accepts none.
"""

from __future__ import annotations

import collections
import contextlib
import enum
import logging
import os
import socket
import ssl
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from app.dialects.openai.answers import envelope
from app.errors import BadRequest, ConnectionsTaken, ProxyError, RequestTimeout
from app.event_loop import pause_in_line
from app.web.disconnects import connection_of

log = logging.getLogger(__name__)

# How long a connection may be open before its first byte, and from there until the end of its head, in seconds. A
# browser opens some in reserve.
SILENCE_SECONDS = 60.0
HEAD_SECONDS = 10.0
# A client that has taken no longer than this is probably no attacker, in seconds.
USUAL_HEAD_SECONDS = 1.0
USUAL_BODY_SECONDS = 10.0
# How many of the worker's connections are left for requests that must be answered even now.
HEADROOM = 64
PROBES = frozenset({"/health", "/ready"})
# Those go before all others where their head is there and no larger than this, in bytes: it costs next to nothing.
PROBE_LINES = (b"GET /health ", b"GET /ready ")
MAX_PROBE_HEAD_BYTES = 2048
# The first byte of a TLS record with a handshake (RFC 8446, section 5.1).
TLS_HANDSHAKE = b"\x16"
# How long an answer that closes the connection may take to be sent, in seconds.
SEND_SECONDS = 1.0
RETRY_AFTER_SECONDS = 5
# How often the log tells of connections that were closed, in seconds.
REPORT_SECONDS = 60.0

# What gunicorn answers by itself: https://github.com/benoitc/gunicorn/blob/master/gunicorn/workers/base.py
CODES = {
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.REQUEST_URI_TOO_LONG: "uri_too_long",
    HTTPStatus.EXPECTATION_FAILED: "expectation_failed",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "headers_too_large",
    HTTPStatus.NOT_IMPLEMENTED: "unsupported_transfer_coding",
}


class Stage(enum.Enum):
    """What a connection has sent so far."""

    SILENT = "nothing"
    HEAD = "a part of a head"
    BODY = "a head"
    ASKED = "all of its request"


# Which connection of a peer goes first, and after how many seconds in its stage; then whichever is the oldest.
ORDER = (
    (Stage.SILENT, 0.0),
    (Stage.HEAD, USUAL_HEAD_SECONDS),
    (Stage.BODY, USUAL_BODY_SECONDS),
    (Stage.HEAD, 0.0),
    (Stage.BODY, 0.0),
)


class Connection:
    """One connection; `since` is when it came to its stage, on the monotonic clock."""

    def __init__(self, client: socket.socket, peer: str) -> None:
        self.client = client
        self.peer = peer
        self.stage = Stage.SILENT
        self.since = time.monotonic()
        self.ended = False


class Peer:
    """The connections of one address that have not asked yet, in each stage the oldest first."""

    def __init__(self) -> None:
        self.at: dict[Stage, collections.OrderedDict[Connection, None]] = {
            stage: collections.OrderedDict() for stage in (Stage.SILENT, Stage.HEAD, Stage.BODY)
        }

    @property
    def number(self) -> int:
        """How many they are."""
        return sum(map(len, self.at.values()))

    def oldest(self, stage: Stage) -> Connection | None:
        """Return the connection that came first to a stage and is still there."""
        return next(iter(self.at[stage]), None)


class Connections:
    """Knows the connections of the worker that it guards, those that have not asked for anything among them.

    Only greenlets of that worker call it, and no change waits for anything: it needs no lock.
    """

    def __init__(self) -> None:
        self._open: dict[socket.socket, Connection] = {}
        self._peers: collections.defaultdict[str, Peer] = collections.defaultdict(Peer)
        self._max_open = 0
        self._ended = 0
        self._reported = float("-inf")

    def guard(self, worker: Any) -> None:
        """Watch over each connection that a gunicorn worker, an asynchronous one, accepts from now on."""
        from gunicorn import util  # noqa: PLC0415 - only a gunicorn worker is guarded

        # With few descriptors there are few connections, and most of them must still carry requests.
        connections = worker.cfg.worker_connections
        self._max_open = max(connections - HEADROOM, connections * 3 // 4)
        handle, handle_request = worker.handle, worker.handle_request

        def guarded(listener: Any, client: socket.socket, address: Any) -> None:
            connection = self._enter(client, address)
            try:
                first = self._first_bytes(connection)
                if not first:
                    client.close()
                    return
                self._move(connection, Stage.HEAD)
                if not (first.startswith(PROBE_LINES) and first.endswith(b"\r\n\r\n")):
                    # gunicorn reads a head that is there already without waiting; others are let in between two heads.
                    pause_in_line()
                if connection.ended:
                    util.close_graceful(client, SEND_SECONDS)
                else:
                    handle(listener, client, address)
            finally:
                self._leave(connection)

        def guarded_request(listener_name: Any, request: Any, client: socket.socket, address: Any) -> Any:
            connection = self._open[client]
            self._move(connection, Stage.BODY if _has_body(request) else Stage.ASKED)
            if len(self._open) > self._max_open and request.path not in PROBES:
                answer(client, self._taken())
                return None
            if request.path not in PROBES:
                # Many that came at once would otherwise be begun one behind the other, with nobody between them.
                pause_in_line()
            return handle_request(listener_name, request, client, address)

        worker.handle, worker.handle_request = guarded, guarded_request
        # gunicorn has one function for its own answers, all of them HTML.
        util.write_error = _write_error  # type: ignore[assignment]

    def received(self, environ: Mapping[str, Any]) -> None:
        """Note that the body of a request is in, or nothing more of it comes.

        Raises ConnectionsTaken if that is because its connection was needed for others.
        """
        client = connection_of(environ)
        connection = None if client is None else self._open.get(client)
        if connection is None:
            return
        self._move(connection, Stage.ASKED)
        if connection.ended:
            raise self._taken()

    def expire(self) -> None:
        """End the connections that take too long to ask."""
        now = time.monotonic()
        for peer in list(self._peers.values()):
            while (late := peer.oldest(Stage.SILENT)) is not None and now - late.since > SILENCE_SECONDS:
                self._end(late)
            while (late := peer.oldest(Stage.HEAD)) is not None and now - late.since > HEAD_SECONDS:
                self._end(late, RequestTimeout(f"The head of the request did not come within {HEAD_SECONDS:g} s."))
        if self._ended and now - self._reported > REPORT_SECONDS:
            log.warning("closed connections that had not asked yet n=%d open=%d", self._ended, len(self._open))
            self._reported, self._ended = now, 0

    def hang_up(self) -> None:
        """Tell the readers of all connections that nothing more comes."""
        for connection in list(self._open.values()):
            _stop_reading(connection.client)

    def _enter(self, client: socket.socket, address: Any) -> Connection:
        # The address of a Unix socket's peer is an empty text.
        connection = Connection(client, address[0] if address else "")
        self._open[client] = connection
        # One address may have half of them open without having asked: on a workstation all programs have the same one.
        # Its streams do not count.
        peer = self._peers[connection.peer]
        peer.at[Stage.SILENT][connection] = None
        if peer.number > self._max_open // 2:
            self._make_room(peer, connection)
        elif len(self._open) > self._max_open:
            self._make_room(max(self._peers.values(), key=lambda other: other.number), connection)
        return connection

    def _first_bytes(self, connection: Connection) -> bytes:
        """Return the first bytes of a request, once they are there, and leave them to be read; none where none come."""
        client = connection.client
        client.settimeout(None)
        if isinstance(client, ssl.SSLSocket):
            return b"TLS"  # it cannot peek; its handshake is over
        try:
            first = client.recv(MAX_PROBE_HEAD_BYTES, socket.MSG_PEEK)
        except OSError:
            return b""
        if first.startswith(TLS_HANDSHAKE):
            answer(client, BadRequest("This port speaks HTTP without TLS; use http:// here, not https://."))
            return b""
        return first

    def _move(self, connection: Connection, stage: Stage) -> None:
        self._forget(connection)
        connection.stage, connection.since = stage, time.monotonic()
        if stage is not Stage.ASKED and not connection.ended:
            self._peers[connection.peer].at[stage][connection] = None

    def _leave(self, connection: Connection) -> None:
        self._forget(connection)
        self._open.pop(connection.client, None)

    def _forget(self, connection: Connection) -> None:
        peer = self._peers.get(connection.peer)
        if peer is not None and connection.stage is not Stage.ASKED:
            peer.at[connection.stage].pop(connection, None)
            if not peer.number:
                del self._peers[connection.peer]

    def _make_room(self, peer: Peer, newcomer: Connection) -> None:
        now = time.monotonic()
        for stage, usual in ORDER:
            oldest = peer.oldest(stage)
            if oldest is not None and oldest is not newcomer and now - oldest.since >= usual:
                self._end(oldest, self._taken() if stage is Stage.HEAD else None)
                return

    def _end(self, connection: Connection, reason: ProxyError | None = None) -> None:
        """Let a connection's reader know of its end, and its client of the reason where nobody else will tell."""
        self._forget(connection)
        connection.ended = True
        self._ended += 1
        if reason is not None and not isinstance(connection.client, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                os.write(connection.client.fileno(), _http(reason))
        _stop_reading(connection.client)

    def _taken(self) -> ConnectionsTaken:
        return ConnectionsTaken(
            f"All {self._max_open} connections of this server are taken; try again shortly.",
            retry_after=RETRY_AFTER_SECONDS,
        )


def answer(client: socket.socket, error: ProxyError, reason: str | None = None) -> None:
    """Send an error over a connection that carries no more requests, and close it when the client has read it."""
    from gunicorn import util  # noqa: PLC0415 - only a gunicorn worker is guarded

    with contextlib.suppress(OSError):
        client.settimeout(SEND_SECONDS)
        client.sendall(_http(error, reason))
    # Unread input would make the system reset the connection, and the answer would be lost.
    util.close_graceful(client, SEND_SECONDS)


def _http(error: ProxyError, reason: str | None = None) -> bytes:
    body = msgspec.json.encode(envelope(error))
    head = [
        f"HTTP/1.1 {error.status} {reason or HTTPStatus(error.status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in error.headers().items()),
    ]
    return "\r\n".join((*head, "", "")).encode("latin-1") + body


def _write_error(client: socket.socket, status: int, reason: str, message: str) -> None:
    """Answer as gunicorn's own function of this name does, in JSON."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        error = ProxyError("The server failed; its log has the reason.")
    else:
        error = BadRequest(f"{message.rstrip('.') or reason}.", code=CODES.get(HTTPStatus(status), "malformed_request"))
        error.status = status
    answer(client, error, reason)


def _has_body(request: Any) -> bool:
    headers: list[tuple[str, str]] = request.headers
    return any(name == "TRANSFER-ENCODING" or (name == "CONTENT-LENGTH" and value != "0") for name, value in headers)


def _stop_reading(client: socket.socket) -> None:
    # Through a duplicate: on the socket itself gunicorn would see an error instead of the end, and it may speak TLS.
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(client.fileno())) as twin:
        twin.shutdown(socket.SHUT_RD)
