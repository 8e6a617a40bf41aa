"""The place where an executable is tried: a home, a folder and an API of its own, all of them gone afterwards.

Nothing leads out of it. The environment is built from nothing, the token is none, the API is a stand-in on loopback,
and so is the proxy, which refuses: whatever else an executable may want to talk to, it gets no further than here.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from app.claude.cli import command
from app.claude.cli.process import Process
from app.claude.cli.registry import Registry
from app.proof.broken import Unprovable
from app.standin import StandIn

MODEL = "sonnet"
# A process that waits is started with the operator's default model, and gets the client's when it is told its set-up.
ANOTHER_MODEL = "opus"
# Not a credential: the CLI asks for a token before it asks the stand-in, which takes any.
TOKEN = "sk-ant-oat01-dummy"  # noqa: S105
# Requests come first: an executable under trial gets what is left of the cores.
NICE = 15
# With less disk space than this, in bytes, an executable may fail through no fault of its own.
MIN_DISK_BYTES = 64 * 2**20
PROBED = "/v1/messages"


class Trial:
    """One executable under trial; a context manager. Raises Unprovable where it cannot be tried here and now.

    `marker` is in every word that is said to it, `planted` in every file that it must not read, and `own` are the
    places of the requests that it should have sent. `path` is where it finds other programs.
    """

    def __init__(self, executable: Path, registry: Registry, path: str) -> None:
        self.executable = executable
        self.marker, self.planted = f"word-{secrets.token_hex(8)}", f"planted-{secrets.token_hex(8)}"
        self.api = StandIn()
        self.own: set[int] = set()
        self.cpu_seconds = 0.0
        self._registry = registry
        self._path = path
        self._folder = Path()

    def __enter__(self) -> Self:
        """Make the place."""
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="claude-max-api-proof-"))
            self.api.start()
            self._furnish()
        except OSError as error:
            self._remove()
            raise Unprovable(f"there is no place to try it in: {error.strerror or error}") from error
        if shutil.disk_usage(self._folder).free < MIN_DISK_BYTES:
            self._remove()
            raise Unprovable(f"less than {MIN_DISK_BYTES // 2**20} MB are free in {tempfile.gettempdir()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove it, with all that was written there."""
        self._remove()

    @property
    def secret(self) -> Path:
        """A file that a text names and the model must not get to see."""
        return self._folder / "work" / "secret.txt"

    @property
    def _home(self) -> Path:
        return self._folder / "home"

    def start(self) -> Process:
        """Start the executable as the server does. Raises CliFailed, or Unprovable where the system is at fault."""
        process = self._registry.start(
            command.argv(self.executable, ANOTHER_MODEL), self._environment(), self._folder / "work", cause="proof"
        )
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        return process

    def end(self, process: Process, *, at_once: bool) -> None:
        """End a process and wait for it."""
        with contextlib.suppress(psutil.Error):
            used = psutil.Process(process.pid).cpu_times()
            self.cpu_seconds += used.user + used.system
        process.close(at_once=at_once)
        self._registry.dispose(process, at_once=at_once)

    def requests(self) -> list[dict[str, Any]]:
        """Return the bodies of all requests for an answer so far, in order, refused ones too."""
        return [
            seen.body
            for seen in self.api.requests
            if seen.path.split("?")[0] == PROBED and seen.body is not None and not _counts(seen.body)
        ]

    def not_asked_for(self) -> list[dict[str, Any]]:
        """Return the requests that belong to no turn."""
        return [body for place, body in enumerate(self.requests()) if place not in self.own]

    def claim(self, start: int) -> None:
        """Take all requests from this place on for what should have been sent."""
        self.own.update(range(start, len(self.requests())))

    def headers(self) -> str:
        """Return the headers of all requests so far."""
        return json.dumps([seen.headers for seen in self.api.requests])

    def written(self) -> list[Path]:
        """Return the files in the place that hold a word of what was said, by their names there."""
        found = []
        for path in sorted(self._folder.rglob("*")):
            with contextlib.suppress(OSError):
                if path.is_file() and self.marker.encode() in path.read_bytes():
                    found.append(path.relative_to(self._folder))
        return found

    def _environment(self) -> dict[str, str]:
        return command.environment(
            {
                "PATH": self._path,
                "LANG": "C.UTF-8",
                "HOME": str(self._home),
                "TMPDIR": str(self._folder / "tmp"),
                "ANTHROPIC_BASE_URL": self.api.url,
                "CLAUDE_CODE_OAUTH_TOKEN": TOKEN,
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "CLAUDE_CODE_MAX_RETRIES": "0",
                "HTTP_PROXY": self.api.url,
                "HTTPS_PROXY": self.api.url,
                "NO_PROXY": "127.0.0.1",
            }
        )

    def _furnish(self) -> None:
        """Plant what must not be read: a person's settings and instructions, a file, and a name in the folder."""
        for folder in ("home/.claude", "work/.claude", "tmp"):
            (self._folder / folder).mkdir(parents=True)
        self.secret.write_text(self.planted)
        (self._folder / "work" / f"{self.planted}.txt").write_text(self.planted)
        hook = {"type": "command", "command": f"echo {self.planted}"}
        told = {
            "env": {"ANTHROPIC_CUSTOM_HEADERS": f"x-proof: {self.planted}"},
            "hooks": {"UserPromptSubmit": [{"hooks": [hook]}], "SessionStart": [{"hooks": [hook]}]},
        }
        for folder in ("home", "work"):
            (self._folder / folder / ".claude" / "settings.json").write_text(json.dumps(told))
            (self._folder / folder / ".claude" / "CLAUDE.md").write_text(self.planted)
            (self._folder / folder / "CLAUDE.md").write_text(self.planted)
            (self._folder / folder / "AGENTS.md").write_text(self.planted)

    def _remove(self) -> None:
        self.api.close()
        if self._folder != Path():
            shutil.rmtree(self._folder, ignore_errors=True)


def _counts(body: Mapping[str, Any]) -> bool:
    return "max_tokens" not in body
