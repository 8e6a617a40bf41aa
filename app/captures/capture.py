"""One request's capture: what came, what went to the CLI and came from it, and what was sent, each with its moment."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from app.captures.redaction import Redaction
from app.records.record import RequestSummary

Kind = Literal["body", "outgoing", "incoming", "sent"]
# What one capture may hold, in bytes; and what each of its parts takes beside its bytes.
MAX_CAPTURE = 8 * 2**20
PART_BYTES = 200
# Of a capture's file. Another one is of another version.
FORM = 1


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some bytes as text, `ms` milliseconds after the request was read; `process` is the pid of the CLI's process."""

    kind: Kind
    ms: int
    text: str
    process: int = 0


class Head(msgspec.Struct, frozen=True):
    """What there is to know of a request beside its contents.

    `headers` are the client's: values of those that are known to be harmless, lengths of the others. `answered` are the
    answer's. `left_out` are the bytes of each kind for which there was no room.
    """

    form: int
    summary: RequestSummary
    headers: Sequence[tuple[str, str]]
    answered: Mapping[str, str]
    left_out: Mapping[str, int]
    versions: Mapping[str, str]
    settings: Mapping[str, str]


class Capture:
    """Gathers the parts of one request until it is closed; then it takes no more, and no call ever fails.

    `room` is asked before each part is taken in, and told how many bytes that is.
    """

    def __init__(
        self, headers: Sequence[tuple[str, str]], redaction: Redaction, room: Callable[[int], bool] = lambda _: True
    ) -> None:
        self.headers = headers
        self.redaction = redaction
        self.answered: Mapping[str, str] = {}
        self.left_out: collections.Counter[str] = collections.Counter()
        self.size = 0
        self.parts: list[tuple[Kind, int, int, bytes]] = []
        self._room = room
        self._began = time.monotonic()
        self._closed = False

    def add(self, kind: Kind, data: bytes, process: int = 0) -> None:
        """Take in what came or went, or count it where it is too much."""
        if self._closed or not data:
            return
        size = len(data) + PART_BYTES
        if self.size + size > MAX_CAPTURE or not self._room(size):
            self.left_out[kind] += len(data)
            return
        self.size += size
        self.parts.append((kind, int((time.monotonic() - self._began) * 1000), process, data))

    def tap(self, kind: Literal["outgoing", "incoming"], process: int, data: bytes) -> None:
        """Take in lines of the CLI's."""
        self.add(kind, data, process)

    def close(self) -> None:
        """Take in no more."""
        self._closed = True

    def encoded(self, head: Head) -> bytes:
        """Return the capture's file: a line for the head, one for each part; no credential is in it."""
        lines: list[bytes] = [self.redaction.clean(msgspec.json.encode(head))]
        for kind, ms, process, data in self.parts:
            # What goes to the CLI in one write may be several lines.
            for piece in data.splitlines() if kind == "outgoing" else (data,):
                text = self.redaction.clean(piece).decode("utf-8", "backslashreplace")
                lines.append(msgspec.json.encode(Part(kind, ms, text, process)))
        return b"\n".join([*lines, b""])


def read_head(path: Path) -> Head:
    """Return the head of a capture's file. Raises OSError, or ValueError where it is none of this version."""
    with path.open("rb") as file:
        return _head(file.readline())


def read(path: Path) -> tuple[Head, list[Part]]:
    """Return what is in a capture's file. Raises OSError, or ValueError where it is none of this version."""
    first, *rest = path.read_bytes().splitlines()
    return _head(first), [msgspec.json.decode(line, type=Part) for line in rest]


def _head(line: bytes) -> Head:
    head = msgspec.json.decode(line, type=Head)
    if head.form != FORM:
        raise ValueError("it was written by another version of this program")
    return head
