"""Where the `claude` executable is and which version it has."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from app.claude import command
from app.claude.capabilities import Capabilities
from app.config import Settings
from app.errors import CliFailed

# Older versions ignore the system prompt given as a list and send their own instead.
MINIMUM = (2, 1, 120)
# From here on a user line may be marked as a client's own words, and a process can go back.
CAPABLE = (2, 1, 260)
VERSION_TIMEOUT = 20.0
INSTALL = "npm install -g @anthropic-ai/claude-code"


@dataclasses.dataclass(frozen=True)
class Binary:
    """An executable as it was when its version was asked; `stamp` changes when the file is replaced.

    Two are equal where they are the same file, whatever is known of it.
    """

    path: Path
    version: tuple[int, int, int]
    stamp: tuple[int, int, int]
    capabilities: Capabilities = dataclasses.field(default=Capabilities(), compare=False)

    @property
    def version_text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))


def find(settings: Settings) -> Path:
    """Return the executable: CLAUDE_BIN, then PATH, then the one in the claude-agent-sdk package.

    Raises CliFailed with code `cli_missing`.
    """
    if settings.claude_bin is not None:
        if shutil.which(settings.claude_bin) is None:
            raise CliFailed(
                f"CLAUDE_BIN={settings.claude_bin} is not an executable; correct it, or unset it to search PATH.",
                code="cli_missing",
            )
        return settings.claude_bin
    found = shutil.which("claude", path=settings.cli_environ.get("PATH", ""))
    if found is not None:
        return Path(found).absolute()
    package = importlib.util.find_spec("claude_agent_sdk")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "_bundled" / "claude"
        if bundled.is_file():
            return bundled
    raise CliFailed(
        f"The claude CLI was not found on PATH; install it with `{INSTALL}`, or set CLAUDE_BIN to where it is.",
        code="cli_missing",
    )


def command_line(binary: Path, environ: Mapping[str, str], arguments: str) -> str:
    """Return a command line for the executable that was found, which need not be the one on PATH."""
    found = shutil.which("claude", path=environ.get("PATH", ""))
    if found is not None and Path(found).absolute() == binary:
        return f"claude {arguments}"
    return f"{shlex.quote(str(binary))} {arguments}"


def update(binary: Path, environ: Mapping[str, str]) -> str:
    """Return the command that brings a newer version of the executable that was found."""
    if "claude_agent_sdk" in binary.parts:
        return f"{shlex.quote(sys.executable)} -m pip install --upgrade claude-agent-sdk"
    return command_line(binary, environ, "update")


class Locator:
    """The executable as it is now; asks for the version again only when the file has changed. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._binary: Binary | None = None

    def current(self) -> Binary:
        """Return the executable and its version. Raises CliFailed when it is missing or too old."""
        path = find(self._settings)
        try:
            stat = path.stat()
        except OSError as error:
            raise CliFailed(
                f"The claude CLI at {path} cannot be read: {error.strerror}.", code="cli_missing"
            ) from error
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        known = self._binary
        if known is not None and known.path == path and known.stamp == stamp:
            return known
        with self._lock:
            known = self._binary
            if known is None or known.path != path or known.stamp != stamp:
                version = _version(path, self._settings.cli_environ)
                capable = version >= CAPABLE
                known = Binary(path, version, stamp, Capabilities(composed=capable, going_back=capable))
                self._binary = known
        return known


def _version(path: Path, environ: Mapping[str, str]) -> tuple[int, int, int]:
    try:
        shown = subprocess.run(
            [path, "--version"],
            env=command.environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CliFailed(
            f"The claude CLI at {path} does not start; run `{path} --version`.", code="cli_missing"
        ) from error
    match = re.search(rb"(\d+)\.(\d+)\.(\d+)", shown.stdout)
    if match is None:
        raise CliFailed(f"{path} does not tell a version; run `{path} --version`.", code="cli_version")
    version = (int(match[1]), int(match[2]), int(match[3]))
    if version < MINIMUM:
        raise CliFailed(
            f"The claude CLI at {path} is version {'.'.join(map(str, version))}; "
            f"this server needs {'.'.join(map(str, MINIMUM))} or newer: run `{update(path, environ)}`.",
            code="cli_version",
        )
    return version
