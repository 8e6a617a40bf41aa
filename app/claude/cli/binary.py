"""Where the `claude` executable is, which version it has, and which of several serves."""

from __future__ import annotations

import contextlib
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

from app.claude.cli import command
from app.claude.cli.capabilities import Capabilities
from app.claude.cli.proofs import Outcome, Proof, Proofs
from app.config import Settings
from app.conversation import Conversation
from app.errors import CliFailed

# Older versions ignore the system prompt given as a list and send their own instead.
MINIMUM = (2, 1, 120)
VERSION_TIMEOUT = 20.0
# Where the native installer puts each version; `claude` on PATH is a link to one of them.
# https://docs.claude.com/en/docs/claude-code/setup
VERSIONS = Path(".local/share/claude/versions")
INSTALL = "npm install -g @anthropic-ai/claude-code"


@dataclasses.dataclass(frozen=True)
class Binary:
    """An executable as it was when its version was asked; `stamp` changes when the file is replaced.

    What is known of its `capabilities` belongs to it: a process that was told something in other ways is another's.
    """

    path: Path
    version: tuple[int, int, int]
    stamp: tuple[int, int, int]
    capabilities: Capabilities = dataclasses.field(default_factory=Capabilities)

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
    if (bundled := _bundled()) is not None:
        return bundled
    raise CliFailed(
        f"The claude CLI was not found on PATH; install it with `{INSTALL}`, or set CLAUDE_BIN to where it is.",
        code="cli_missing",
    )


def others(settings: Settings) -> list[Path]:
    """Return executables that are used where the one that is found cannot be: installed versions, the bundled one."""
    home = settings.cli_environ.get("HOME")
    try:
        installed = [path for path in (Path(home) / VERSIONS).iterdir() if path.is_file()] if home else []
    except OSError:
        installed = []
    bundled = _bundled()
    return [*installed, *([bundled] if bundled is not None else [])]


def _bundled() -> Path | None:
    package = importlib.util.find_spec("claude_agent_sdk")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / "_bundled" / "claude"
    return path if path.is_file() else None


def _target(path: Path) -> Path:
    """Return what a link to a version leads to, so that it stays that version when the link is moved to another.

    Another link may lead to a program that manages versions, and knows what to run by the link's name.
    """
    target = path.resolve()
    return target if target.name.startswith("claude") or target.parent.name == VERSIONS.name else path


def command_line(binary: Path, environ: Mapping[str, str], arguments: str) -> str:
    """Return a command line for the executable that was found, which need not be the one on PATH."""
    found = shutil.which("claude", path=environ.get("PATH", ""))
    if found is not None and binary in {Path(found).absolute(), _target(Path(found).absolute())}:
        return f"claude {arguments}"
    return f"{shlex.quote(str(binary))} {arguments}"


def update(binary: Path, environ: Mapping[str, str]) -> str:
    """Return the command that brings a newer version of the executable that was found."""
    if "claude_agent_sdk" in binary.parts:
        return f"{shlex.quote(sys.executable)} -m pip install --upgrade claude-agent-sdk"
    return command_line(binary, environ, "update")


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which executable serves, and why: the one that was `found`, or else the newest that is proven.

    `problem` is why the one that was found does not serve; where none does, it is what requests get. `proof` is that
    of the one that was found, if it has been tried.
    """

    found: Binary | None
    proof: Proof | None
    serving: Binary | None
    problem: CliFailed | None = None

    def current(self) -> Binary:
        """Return the executable that serves. Raises CliFailed where none does."""
        if self.serving is None:
            raise self.problem or CliFailed("There is no claude CLI.", code="cli_missing")
        return self.serving

    @property
    def put_aside(self) -> str | None:
        """Why another executable serves than the one that was found, in a sentence; None where it does."""
        if self.serving is None or (self.found is not None and self.found.path == self.serving.path):
            return None if self.problem is None else self.problem.message
        newer = self.found.version_text if self.found is not None else "as it is installed"
        why = f"claude {newer} is not proven yet." if self.problem is None else self.problem.message
        return f"claude {self.serving.version_text} serves: {why}"


class Locator:
    """The executable as it is now; asks for the version again only when the file has changed. Thread-safe.

    `last` is the choice that was made last, if any.
    """

    def __init__(self, settings: Settings) -> None:
        self.proofs = Proofs(settings.state_dir)
        self.last: Choice | None = None
        self._settings = settings
        self._lock = threading.Lock()
        self._known: dict[Path, Binary] = {}

    def current(self) -> Binary:
        """Return the executable that serves. Raises CliFailed when it is missing, too old or breaks a promise."""
        return self.choice().current()

    def found(self) -> Binary:
        """Return the executable that the settings and PATH lead to, proven or not. Raises CliFailed."""
        return self.look(find(self._settings))

    def choice(self) -> Choice:
        """Return which executable serves now. Raises CliFailed where there is none to choose from."""
        self.last = self._choice()
        return self.last

    def _choice(self) -> Choice:
        path = find(self._settings)
        try:
            found = self.look(path)
        except CliFailed as error:
            # Perhaps in the midst of its update, or a version that does not start.
            proven = self._proven()
            if proven is None:
                raise
            return Choice(None, None, proven, error)
        proof = self.proof(found)
        if proof is not None and proof.holds:
            return Choice(found, proof, dataclasses.replace(found, capabilities=proof.capabilities))
        problem = None if proof is None else self._unproven(found, proof.broken[0])
        proven = self._proven()
        if proven is None and (proof is None or self._settings.unproven == "serve"):
            proven = found
        return Choice(found, proof, proven, problem)

    def check(self, conversation: Conversation) -> None:
        """Raise CliFailed where the executable that serves does not do what a conversation needs."""
        serving = self.current()
        lacking = next(serving.capabilities.lacking(conversation), None)
        proof = None if lacking is None or self._settings.unproven == "serve" else self.proof(serving)
        if proof is not None:
            raise self._unproven(serving, next(one for one in proof.broken if one.switches == lacking))

    def proof(self, binary: Binary) -> Proof | None:
        """Return what has been proven of an executable, if anything."""
        mtime_ns, size, _ = binary.stamp
        return self.proofs.of(binary.path, size, mtime_ns)

    def remedy(self, binary: Binary) -> str:
        """Return the command that brings a version which may keep what this one breaks."""
        return update(binary.path, self._settings.cli_environ)

    def look(self, path: Path) -> Binary:
        """Return what is there. Raises CliFailed when it cannot be used."""
        path = _target(path)
        try:
            stat = path.stat()
        except OSError as error:
            raise CliFailed(
                f"The claude CLI at {path} cannot be read: {error.strerror}.", code="cli_missing"
            ) from error
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        known = self._known.get(path)
        if known is not None and known.stamp == stamp:
            return known
        with self._lock:
            known = self._known.get(path)
            if known is None or known.stamp != stamp:
                known = self._known[path] = Binary(path, _version(path, self._settings.cli_environ), stamp)
        return known

    def _proven(self) -> Binary | None:
        """Return the newest executable that is proven and still there."""
        for proof in self.proofs.usable():
            with contextlib.suppress(CliFailed):
                return dataclasses.replace(self.look(Path(proof.path)), capabilities=proof.capabilities)
        return None

    def _unproven(self, binary: Binary, broken: Outcome) -> CliFailed:
        return CliFailed(
            f"claude {binary.version_text} does not keep a promise that this server makes, `{broken.promise}`: "
            f"{broken.sentence} ({broken.detail}). Run `{self.remedy(binary)}`, or set "
            "CLAUDE_PROXY_UNPROVEN=serve to use it all the same.",
            code="cli_unproven",
        )


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
