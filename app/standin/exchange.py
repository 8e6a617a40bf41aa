"""One connection's HTTP: requests read and recorded, answers written as they are due."""

from __future__ import annotations

import http.server
import json
import socket
import time
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from app.standin import stream, validation
from app.standin.failure import Failure
from app.standin.journal import Journal, Recorded
from app.standin.reply import Reply

MakeReply = Callable[[dict[str, Any]], Reply | Failure]
Count = Callable[[dict[str, Any]], int | Failure]
Bill = Callable[[dict[str, Any], Mapping[str, Any]], object]
# How often a stream that is told to stay silent looks whether its client is there: recv returns at once when it leaves.
LOOK_SECONDS = 5.0
STREAM = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "transfer-encoding": "chunked",
}


class Behaviour(Protocol):
    """What an exchange needs to know of the stand-in it belongs to."""

    reply: MakeReply
    count: Count
    bill: Bill
    validate: bool
    journal: Journal


class Exchange(http.server.BaseHTTPRequestHandler):
    """The requests of one connection, answered one after another; subclasses carry the `standin`."""

    standin: Behaviour
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _request_id = ""

    def do_POST(self) -> None:
        """Answer `POST /v1/messages`, and the count of its tokens, as the API would, and any other path with 404."""
        raw = self._read()
        body = _parsed(raw)
        seen = self._record(body if isinstance(body, dict) else None, len(raw))
        path = urllib.parse.urlsplit(self.path).path
        if path == "/v1/messages":
            self._answer(body, seen)
        elif path == "/v1/messages/count_tokens":
            self._count(body, seen)
        else:
            self._fail(Failure.not_found())

    def do_GET(self) -> None:
        """Answer anything but a POST with 404."""
        raw = self._read()
        self._record(None, len(raw))
        self._fail(Failure.not_found())

    # The names are http.server's. CONNECT comes from a program that takes the stand-in for its proxy.
    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_CONNECT = do_GET  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """Write nothing: the journal has it."""

    def _read(self) -> bytes:
        """Return the request's body; raise ConnectionError when the client leaves before its end."""
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self._exactly(int(self.headers.get("content-length") or 0))
        parts: list[bytes] = []
        while size := int(self.rfile.readline(1024).split(b";")[0] or b"0", 16):
            parts.append(self._exactly(size))
            self.rfile.readline(8)
        while self.rfile.readline(65_536).strip():
            pass
        return b"".join(parts)

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionAbortedError("the client left in the middle of its request")
        return data

    def _record(self, body: dict[str, Any] | None, size: int) -> Recorded:
        self._request_id = f"req_01{uuid.uuid4().hex[:22]}"
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Recorded(self.command, self.path, headers, body, size, time.monotonic())
        self.standin.journal.arrived(seen)
        return seen

    def _answer(self, body: Any, seen: Recorded) -> None:
        journal = self.standin.journal
        try:
            self._check(body, seen)
        except validation.Refusal as refusal:
            journal.refused(refusal.status, refusal.message)
            self._fail(Failure(refusal.status, refusal.type, refusal.message))
            return
        journal.accepted(body)
        with journal.answering():
            answer = self._ask(body)
            self._pause(answer.delay)
            if isinstance(answer, Failure):
                self._fail(answer)
            elif body.get("stream"):
                self._stream(answer, body)
            else:
                message = stream.message(answer, body)
                self.standin.bill(body, message["usage"])
                self._send(200, message, answer.headers)

    def _count(self, body: Any, seen: Recorded) -> None:
        """Answer with the number of its tokens, for a body that lacks nothing but what bounds an answer."""
        try:
            self._check({**body, "max_tokens": 1} if isinstance(body, dict) else body, seen)
        except validation.Refusal as refusal:
            self.standin.journal.refused(refusal.status, refusal.message)
            self._fail(Failure(refusal.status, refusal.type, refusal.message))
            return
        counted = self.standin.count(body)
        if isinstance(counted, Failure):
            self._fail(counted)
        else:
            self._send(200, {"input_tokens": counted}, {})

    def _check(self, body: Any, seen: Recorded) -> None:
        if self.standin.validate:
            validation.authenticated(seen.headers)
            validation.check(body, seen.size, seen.headers.get("anthropic-beta", "").replace(" ", "").split(","))
        elif not isinstance(body, dict):
            raise validation.not_json()

    def _ask(self, body: dict[str, Any]) -> Reply | Failure:
        try:
            return self.standin.reply(body)
        except Exception as error:  # noqa: BLE001 - whatever a test's own mistake is, it must not hang the client
            message = f"the stand-in's reply raised {error!r}"
            self.standin.journal.refused(500, message)
            return Failure.server_error(message)

    def _stream(self, reply: Reply, body: dict[str, Any]) -> None:
        self._head(200, STREAM, reply.headers)
        deltas, used = 0, dict[str, Any]()
        try:
            for event in stream.events(reply, body):
                if event.delta and deltas == reply.silent_after:
                    while True:
                        self._pause(LOOK_SECONDS)
                if event.delta and deltas == reply.cut_after:
                    self.close_connection = True
                    return
                self._pause(event.pause)
                used |= event.usage  # before it is written: whoever has read it finds it in the bill
                data = event.encode()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
                deltas += event.delta
            self.wfile.write(b"0\r\n\r\n")
        finally:
            self.standin.bill(body, used)

    def _pause(self, seconds: float) -> None:
        """Wait, and raise ConnectionError as soon as the client has left."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.connection.settimeout(left)
            try:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    raise ConnectionAbortedError("the client has left")
                time.sleep(min(left, 0.01))  # the next request is here already: its sender is too
            except TimeoutError:
                return
            finally:
                self.connection.settimeout(None)

    def _fail(self, failure: Failure) -> None:
        self._send(failure.status, failure.envelope(self._request_id), failure.headers)

    def _send(self, status: int, value: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        data = json.dumps(value).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(data))}, headers)
        if self.command != "HEAD":
            self.wfile.write(data)

    def _head(self, status: int, *groups: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("request-id", self._request_id)
        for name, value in (pair for group in groups for pair in group.items()):
            self.send_header(name, value)
        self.end_headers()


def _parsed(raw: bytes) -> Any:
    try:
        body = json.loads(raw)
        if b"\\u" in raw:
            json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no JSON to the real API either
    except (ValueError, RecursionError):
        return None
    return body
