"""Whether the CLI has a login, without spending a token and without looking at the credentials."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from app.claude.cli import command
from app.claude.cli.binary import command_line
from app.errors import CliFailed

State = Literal["present", "absent", "verified", "failed", "unknown"]
STATUS_TIMEOUT = 20.0
# How long an answer of `claude auth status` is good for, in seconds.
FRESH = 10.0


class _AuthStatus(msgspec.Struct, rename="camel"):
    logged_in: bool = False
    auth_method: str = ""


def ask(binary: Path, environ: Mapping[str, str]) -> tuple[bool, bytes]:
    """Run `claude auth status`; return whether it is logged in, and the whole answer.

    Raises CliFailed when the answer cannot be understood.
    """
    try:
        shown = subprocess.run(
            [binary, "auth", "status"],
            env=command.environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=STATUS_TIMEOUT,
            check=False,
        )
        return msgspec.json.decode(shown.stdout, type=_AuthStatus).logged_in, shown.stdout
    except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CliFailed("`claude auth status` gave no answer.") from error


class Login:
    """What is known of the login: what the CLI says, corrected by what the API said to real requests. Thread-safe."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._lock = threading.Lock()
        self._told: tuple[bool, bytes] | None = None
        self._told_at = 0.0
        self._proof: Literal["verified", "failed"] | None = None

    def verified(self) -> None:
        """Note that the API answered a request."""
        self._proof = "verified"

    def failed(self) -> None:
        """Note that the API refused the login; it stays so until a request succeeds or the login changes."""
        self._proof = "failed"

    def command(self, binary: Path) -> str:
        """Return the command that logs this executable in."""
        return command_line(binary, self._environ, "auth login")

    def state(self, binary: Path) -> State:
        """Return the login's state, asking the CLI again where its last word is old.

        A verified login is not asked for: the next request tells.
        """
        if self._proof == "verified":
            return "verified"
        with self._lock:
            if self._told is None or time.monotonic() - self._told_at > FRESH:
                before = self._told
                try:
                    self._told = ask(binary, self._environ)
                except CliFailed:
                    return "unknown"
                self._told_at = time.monotonic()
                if before is not None and before != self._told:
                    self._proof = None
        if self._proof is not None:
            return self._proof
        return "present" if self._told[0] else "absent"
