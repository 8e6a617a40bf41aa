"""Whether the CLI has a login, without spending a token and without looking at the credentials."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from app.claude.cli import command
from app.claude.cli.payer import UNKNOWN, LoginDetails, details_of, login_digest, payer
from app.errors import CliFailed

LoginState = Literal["present", "absent", "verified", "failed", "unknown"]
STATUS_TIMEOUT_SECONDS = 20.0
# How long an answer of `claude auth status` is good for.
FRESH_SECONDS = 10.0


class _AuthStatus(LoginDetails):
    logged_in: bool = False


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
            timeout=STATUS_TIMEOUT_SECONDS,
            check=False,
        )
        return msgspec.json.decode(shown.stdout, type=_AuthStatus).logged_in, shown.stdout
    except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CliFailed("`claude auth status` gave no answer.") from error


class Login:
    """What is known of the login: what the CLI says, corrected by what the API said to real requests. Thread-safe.

    `changed` is called when the login has become another one.
    """

    def __init__(self, environ: Mapping[str, str], changed: Callable[[], object] = lambda: None) -> None:
        self._environ = environ
        self._changed = changed
        self._known: str | None = None  # the digest that was known last
        self._lock = threading.Lock()
        self._told: tuple[bool, bytes] | None = None
        self._told_at = 0.0
        self._proof: Literal["verified", "failed"] | None = None
        self._details: LoginDetails | None = None  # as the last process that answered told it

    def verified(self) -> None:
        """Note that the API answered a request."""
        self._proof = "verified"

    def note(self, details: Any) -> None:
        """Take over what a process told of the login when it was opened, as far as it can be understood."""
        self._details = details_of(details) or self._details
        self._compare()

    def payer(self, binary: Path) -> str:
        """Return who pays, by what the CLI says: a process that answered, else `claude auth status`."""
        if self._details is not None:
            return payer(self._details)
        details = _details(self._ask(binary))
        return UNKNOWN if details is None else payer(details)

    @property
    def digest(self) -> str | None:
        """What tells the login from others, as far as it is known without asking."""
        details = self._details or _details(self._told)
        return None if details is None else login_digest(details)

    def failed(self) -> None:
        """Note that the API refused the login; it stays so until a request succeeds or the login changes."""
        self._proof = "failed"

    def state(self, binary: Path) -> LoginState:
        """Return the login's state, asking the CLI again if its last answer is old.

        A verified login is not asked for: the next request tells.
        """
        if self._proof == "verified":
            return "verified"
        told = self._ask(binary)
        if told is None:
            return "unknown"
        if self._proof is not None:
            return self._proof
        return "present" if told[0] else "absent"

    def _ask(self, binary: Path) -> tuple[bool, bytes] | None:
        """Return what `claude auth status` says, asking again where its last word is old; None where it says nothing.

        A login that has changed is neither proven nor refused, and may be paid for by another.
        """
        with self._lock:
            if self._told is None or time.monotonic() - self._told_at > FRESH_SECONDS:
                before = self._told
                try:
                    self._told = ask(binary, self._environ)
                except CliFailed:
                    return None
                self._told_at = time.monotonic()
                if before is not None and before != self._told:
                    self._proof = self._details = None
                self._compare()
            return self._told

    def _compare(self) -> None:
        """Notice that the login has become another one."""
        digest = self.digest
        if digest is not None:
            before, self._known = self._known, digest
            if before not in {None, digest}:
                self._changed()


def _details(told: tuple[bool, bytes] | None) -> LoginDetails | None:
    """Return what `claude auth status` has said of a login that is there."""
    return details_of(msgspec.json.decode(told[1])) if told is not None and told[0] else None
