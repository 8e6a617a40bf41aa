"""The last captures, as files in the state folder: written beside the requests' way, bounded in number and in bytes."""

from __future__ import annotations

import collections
import contextlib
import functools
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from app import private_file
from app.captures.capture import FORM, Capture, Head
from app.captures.redaction import Redaction
from app.event_loop import beside
from app.records.record import RequestRecord, RequestSummary
from app.version import __version__

log = logging.getLogger(__name__)

FOLDER, SUFFIX = "captures", ".jsonl"
# What all files of all workers may hold together, and what one worker may hold of them in its memory, in bytes.
MAX_KEPT = 64 * 2**20
MAX_HELD = 64 * 2**20
# What a worker that was killed left half written goes after so many seconds.
HALF_SECONDS = 60.0


class Captures:
    """Keeps the last `keep` captures in `folder`, which the workers of a machine share; with 0 it does nothing.

    `secrets` are credentials that must never be in one, beside each request's own; `settings` is what a reader may
    know of the server's. Nothing here delays or fails a request.
    """

    def __init__(
        self, folder: Path, keep: int, secrets: Sequence[str] = (), settings: Mapping[str, str] | None = None
    ) -> None:
        self.keep = keep
        self._folder = folder
        self._secrets = secrets
        self._settings = settings or {}
        self._held = 0
        self._waiting: collections.deque[tuple[Capture, RequestSummary]] = collections.deque()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def open(self) -> None:
        """Begin to write, and say so; after any fork. It does not fail."""
        if self.keep:
            log.warning(
                "CLAUDE_PROXY_RECORD=%d: the last requests are kept with all that is said in them, in %s",
                self.keep,
                self._folder,
            )
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="captures", daemon=True)
                self._thread.start()
        elif any(files(self._folder)):
            log.warning(
                "CLAUDE_PROXY_RECORD is off, and requests of before are still kept in %s: "
                "`claude-max-api report --clear` removes them",
                self._folder,
            )

    def begin(self, record: RequestRecord, headers: Sequence[tuple[str, str]], secrets: Sequence[str]) -> Capture:
        """Return the capture of a request that begins; it is kept when that has ended."""
        capture = Capture(headers, Redaction((*self._secrets, *secrets)), self._take)
        record.on_end(lambda: self._end(capture, record.summary(running=False)))
        return capture

    def close(self) -> None:
        """Write what is left; idempotent."""
        self._closed.set()
        self._wake.set()
        self._write()

    def _take(self, size: int) -> bool:
        if self._held + size > MAX_HELD:
            return False
        self._held += size
        return True

    def _end(self, capture: Capture, summary: RequestSummary) -> None:
        capture.close()
        self._waiting.append((capture, summary))
        self._wake.set()

    def _work(self) -> None:
        while not self._closed.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                self._write()
            except Exception:
                log.exception("captures not kept")  # never the end of the thread

    def _write(self) -> None:
        with self._writing:
            while self._waiting:
                capture, summary = self._waiting.popleft()
                try:
                    beside(functools.partial(self._keep, capture, summary))
                    self._failing = False
                except OSError as error:
                    if not self._failing:
                        log.error("captures cannot be kept in %s: %s", self._folder, error.strerror)  # noqa: TRY400
                    self._failing = True
                finally:
                    self._held -= capture.size

    def _keep(self, capture: Capture, summary: RequestSummary) -> None:
        # Whose it was, and in which trace, is nobody's business whom it is sent to.
        summary = msgspec.structs.replace(summary, owner="", trace="", trace_state="")
        answered, left_out = capture.answered, dict(capture.left_out)
        head = Head(FORM, summary, capture.headers, answered, left_out, _versions(), self._settings)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The name begins with the time: names in order are captures in order.
        path = self._folder / f"{int(summary.at * 1e6):018d}-{summary.id}{SUFFIX}"
        private_file.replace(path, capture.encoded(head))
        self._tidy()

    def _tidy(self) -> None:
        kept = bytes_kept = 0
        for path in files(self._folder):
            with contextlib.suppress(OSError):  # another worker tidies, too
                bytes_kept += path.stat().st_size
                kept += 1
                if kept > self.keep or (kept > 1 and bytes_kept > MAX_KEPT):
                    path.unlink()
        for path in self._folder.glob("*.new"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > HALF_SECONDS:
                    path.unlink()


def _versions() -> dict[str, str]:
    # Not platform.platform(), which runs a program.
    system = os.uname()
    return {
        "proxy": __version__,
        "python": platform.python_version(),
        "system": f"{system.sysname} {system.release} {system.machine}",
    }


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder's captures, the latest first."""
    yield from sorted(folder.glob(f"*{SUFFIX}"), reverse=True)
