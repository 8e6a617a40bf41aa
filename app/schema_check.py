"""JSON Schemas and answers are checked beside the event loop, in a process of their own with a deadline.

A schema can make its check take for ever (references that double, patterns, an answer of many items), and nothing in
this process could end it. The process starts with the first check, about 0.1 s, and stays: a check then takes about
1 ms. It ends itself when a check takes too long, and with this process.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec

log = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("schema_child.py")
SITE = Path(jsonschema_rs.__file__).parents[1]
# So many checks at once; the others wait.
MAX_CHILDREN = 2
# A child allows 2 s for a check and ends itself; this is for the case that it cannot, in seconds, its start included.
MAX_SECONDS = 5.0


class CheckFailed(Exception):
    """The check took too long, or too much memory; the text goes on after the name of what was checked."""


class _Verdict(msgspec.Struct):
    problem: str | None = None
    place: list[str | int] | None = None


def problem(schema: dict[str, Any]) -> str | None:
    """Return what is wrong with a schema that answers are to be checked against, None where it can be used.

    The draft is what `$schema` says, else 2020-12. Wrong is also a pattern that is no regular expression, and a `$ref`
    that leads out of the schema. Raises CheckFailed.
    """
    return _children.check(msgspec.json.encode({"schema": schema})).problem


def mismatch(schema: dict[str, Any], answer: bytes) -> str | None:
    """Return where an answer, in JSON, does not satisfy a schema (`$.items[2]`), None where it does.

    Raises CheckFailed, also for a schema that has a `problem`.
    """
    verdict = _children.check(msgspec.json.encode({"schema": schema, "answer": msgspec.Raw(answer)}))
    if verdict.problem is not None:
        raise CheckFailed(f"cannot be checked: {verdict.problem}")
    return None if verdict.place is None else path(verdict.place)


def close() -> None:
    """End the process that waits, if there is one; idempotent. The next check starts another."""
    _children.close()


def path(steps: Iterable[str | int]) -> str:
    """Return a place in JSON as `$.items[2].name`."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


class _Child:
    """A process that checks one thing after the other."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            os.set_blocking(theirs.fileno(), True)  # gevent makes every socket non-blocking
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(CHILD), str(SITE)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        self._ours.settimeout(MAX_SECONDS)

    def check(self, job: bytes) -> _Verdict | None:
        """Return what it finds; None where it ended instead."""
        try:
            self._ours.sendall(job + b"\n")
            told = b""
            while not told.endswith(b"\n"):
                data = self._ours.recv(65536)
                if not data:
                    return None
                told += data
        except OSError:
            return None
        return msgspec.json.decode(told, type=_Verdict)

    @property
    def overdue(self) -> bool:
        """Whether it has ended, or was ended, because a check took too long."""
        return self._popen.poll() in {-signal.SIGALRM, -signal.SIGKILL}

    def close(self) -> None:
        """End it."""
        self._ours.close()
        if self._gone_within(0.05):  # so that its own end is what it is known to have ended by
            return
        self._popen.kill()
        self._gone_within(MAX_SECONDS)

    def _gone_within(self, seconds: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        return self._popen.poll() is not None


class _Children:
    """At most MAX_CHILDREN at work, one of them kept for the next check."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(MAX_CHILDREN)
        self._idle: list[_Child] = []

    def check(self, job: bytes) -> _Verdict:
        """Return what a child finds. Raises CheckFailed."""
        with self._places:
            if self._idle:
                child = self._idle.pop()
                verdict = self._ask(child, job)
                if verdict is not None:
                    return verdict
                if child.overdue:
                    raise CheckFailed("takes too long to check")
                # It ended while it waited, so that the check is not to blame: a new one decides.
            try:
                child = _Child()
            except OSError as error:
                log.exception("the check of a schema could not be started")
                raise CheckFailed("cannot be checked now") from error
            verdict = self._ask(child, job)
        if verdict is None:
            raise CheckFailed("takes too long to check" if child.overdue else "takes too much to check")
        return verdict

    def close(self) -> None:
        """End all that wait."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, child: _Child, job: bytes) -> _Verdict | None:
        try:
            verdict = child.check(job)
        except BaseException:
            child.close()
            raise
        if verdict is None or self._idle:
            child.close()
        else:
            self._idle.append(child)
        return verdict


_children = _Children()
atexit.register(close)
