"""Every live CLI process of this worker, and a record on disk of each for the next worker to sweep.

Where the worker dies by SIGKILL its undertaker ends them; the sweep ends at the next start what that could not.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import psutil

from app import process_identity
from app.claude.cli.process import Process
from app.claude.cli.undertaker import Undertaker

log = logging.getLogger(__name__)

# The folder of the records, in the state folder.
RECORDS = "processes"
SWEEP_SECONDS = 2.0


class _Record(msgspec.Struct):
    # Numbers out of these bounds must not be used as process ids.
    pid: Annotated[int, msgspec.Meta(gt=1)]
    started: float
    owner: Annotated[int, msgspec.Meta(gt=0)]
    owner_started: float


class Registry:
    """The live processes; `folder` holds a small file for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._live: dict[int, Process] = {}
        self._closers: set[threading.Thread] = set()
        self._closed = False
        self._undertaker = Undertaker()
        # How many have started, for what, and ended, why: bounded sets of words, given by the callers.
        self.starts: collections.Counter[str] = collections.Counter()
        self.ends: collections.Counter[str] = collections.Counter()

    def __len__(self) -> int:
        """Return how many processes have not been closed yet."""
        return len(self._live)

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        with_tools: bool = False,
        cause: str = "request",
    ) -> Process:
        """Start a process, perhaps one that starts others, that `close` will not forget. Raises CliFailed.

        It is counted under `cause`.
        """
        process = Process(argv, env, cwd, with_tools=with_tools)
        with self._lock:
            self._live[process.pid] = process
            self.starts[cause] += 1
            self._tell_undertaker()
        self._record(process.pid)
        if self._closed:
            self._end(process, at_once=True, cause="shutdown")
        return process

    def dispose(
        self,
        process: Process,
        *,
        at_once: bool,
        cause: str = "surplus",
        before: Callable[[], object] = lambda: None,
    ) -> None:
        """End a process in the background, after `before`; nobody has to wait for it.

        Of several causes the first counts.
        """
        given = {"at_once": at_once, "cause": cause if process.killed or process.alive else "exited", "before": before}
        closer = threading.Thread(target=self._end, args=(process,), kwargs=given, daemon=True)
        # Under one lock, since `close` joins all of them and each takes itself out when it ends.
        with self._lock:
            closer.start()
            self._closers.add(closer)

    def close(self) -> None:
        """End every process and wait until they are gone; idempotent and bounded."""
        self._closed = True
        with self._lock:
            live = list(self._live.values())
        for process in live:
            self.dispose(process, at_once=True, cause="shutdown")
        with self._lock:
            closers = list(self._closers)
        for closer in closers:
            closer.join()
        with self._lock:
            self._undertaker.close()

    def sweep(self) -> int:
        """End the processes of workers that died without closing them; return how many."""
        orphans, paths = [], []
        for path in self._files():
            record = _read(path)
            if record is not None and process_identity.running(record.owner, record.owner_started):
                continue
            if record is not None and process_identity.running(record.pid, record.started):
                orphans.append(record.pid)
            paths.append(path)
        _kill_trees(orphans)
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink()
        if orphans:
            log.warning("swept orphans=%d", len(orphans))
        return len(orphans)

    def owners(self) -> set[int]:
        """Return the numbers of the workers that live and have a record here, this one's among them."""
        records = filter(None, map(_read, self._files()))
        return {one.owner for one in records if process_identity.running(one.owner, one.owner_started)}

    def _end(self, process: Process, *, at_once: bool, cause: str, before: Callable[[], object] = lambda: None) -> None:
        try:
            before()
        finally:
            self._close_one(process, at_once=at_once, cause=cause)

    def _close_one(self, process: Process, *, at_once: bool, cause: str) -> None:
        try:
            process.close(at_once=at_once)
        finally:
            with self._lock:
                if self._live.pop(process.pid, None) is not None:
                    self.ends[cause] += 1
                    self._tell_undertaker()
                self._closers.discard(threading.current_thread())
            with contextlib.suppress(OSError):
                (self._folder / str(process.pid)).unlink()

    def _tell_undertaker(self) -> None:
        living = [process for process in self._live.values() if process.alive]
        chats = [process.pid for process in living if not process.with_tools]
        self._undertaker.tell(chats, [process.pid for process in living if process.with_tools])

    def _record(self, pid: int) -> None:
        try:
            record = _Record(pid, process_identity.started(pid), os.getpid(), process_identity.started())
            (self._folder / str(pid)).write_bytes(msgspec.json.encode(record))
        except (OSError, psutil.Error) as error:
            # A full disk must not stop a chat; the record is only needed if this worker dies.
            log.warning("not recorded pid=%d error=%s", pid, error)

    def _files(self) -> list[Path]:
        try:
            return sorted(self._folder.iterdir())
        except OSError:
            return []


def _read(path: Path) -> _Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Record)
    except (OSError, msgspec.DecodeError):
        return None


def _kill_trees(pids: Sequence[int]) -> None:
    with contextlib.ExitStack() as trees:
        for pid in pids:
            trees.enter_context(process_identity.descendants_killed(pid))
        # All of them before any is waited for: those that wait for results would ask the API meanwhile.
        for pid in pids:
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + SWEEP_SECONDS
        while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in pids:
            _signal(pid, signal.SIGKILL)


def _signal(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
