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
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.claude.cli import command
from app.claude.cli.proofs import Capabilities, Outcome, Proof, Proofs
from app.config import Settings
from app.conversation import Conversation
from app.errors import CliFailed

# Older versions ignore the system prompt given as a list and send their own instead.
MINIMUM = (2, 1, 120)
VERSION_TIMEOUT_SECONDS = 20.0
# A choice is made again after this long even if no file seems changed: two changes may have one time.
CHOICE_FRESH_SECONDS = 5.0
# Where the native installer puts each version; `claude` on PATH is a link to one of them.
# https://docs.claude.com/en/docs/claude-code/setup
VERSIONS = Path(".local/share/claude/versions")
INSTALL = "npm install -g @anthropic-ai/claude-code"
# https://docs.claude.com/en/docs/claude-code/setup
INSTALLER = "curl -fsSL https://claude.ai/install.sh | bash"
# The copy of `claude` in the extra, for the Python that runs this.
EXTRA = "claude-agent-sdk"
# Runs the login of the executable that is found, wherever it is.
LOGIN = "claude-max-api login"


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
        f"The claude CLI was not found on PATH; install it with {installs()}, or set CLAUDE_BIN to where it is.",
        code="cli_missing",
    )


def installs() -> str:
    """Return the commands any of which installs the CLI, in words."""
    return f"`{INSTALLER}`, `{_pip(EXTRA)}` or `{INSTALL}`"


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
        return _pip("--upgrade", EXTRA)
    return command_line(binary, environ, "update")


def _pip(*words: str) -> str:
    """Return the command that installs into this very environment."""
    python = shlex.quote(sys.executable)
    # What uv made has no pip of its own.
    tool = f"{python} -m pip install" if importlib.util.find_spec("pip") else f"uv pip install --python {python}"
    return " ".join((tool, *words))


@dataclasses.dataclass(frozen=True)
class ChosenBinary:
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
    """The executable as it is now; looks for another, or asks for a version, only when a file has changed. Thread-safe.

    `last` is the choice that was made last, if any.
    """

    def __init__(self, settings: Settings) -> None:
        self.proofs = Proofs(settings.state_dir)
        self.last: ChosenBinary | None = None
        self._settings = settings
        self._lock = threading.Lock()
        self._known: dict[Path, Binary] = {}
        self._seen: tuple[Any, ...] = ()  # the files as they were at the last choice
        self._chosen_at = 0.0

    def current(self) -> Binary:
        """Return the executable that serves. Raises CliFailed when it is missing, too old or breaks a promise."""
        return self.choice().current()

    def found(self) -> Binary:
        """Return the executable that the settings and PATH lead to, proven or not. Raises CliFailed."""
        return self.look(find(self._settings))

    def choice(self) -> ChosenBinary:
        """Return which executable serves now. Raises CliFailed where there is none to choose from."""
        path, last = find(self._settings), self.last
        serving = last.serving.path if last is not None and last.serving is not None else path
        files = (path, serving, self.proofs.folder)
        seen = (*files, *map(_stamp, files), self.proofs.times_kept)
        if last is None or seen != self._seen or time.monotonic() - self._chosen_at >= CHOICE_FRESH_SECONDS:
            last = self.last = self._choose(path)
            self._seen, self._chosen_at = seen, time.monotonic()
        return last

    def serving(self, conversation: Conversation) -> Binary:
        """Return the executable that serves. Raises CliFailed where it does not do what a conversation needs."""
        binary = self.choice().current()
        lacking = next((name for name in _needs(conversation) if not getattr(binary.capabilities, name)), None)
        proof = None if lacking is None or self._settings.unproven == "serve" else self.proof(binary)
        if proof is not None:
            raise self._unproven(binary, next(one for one in proof.broken if one.switches == lacking))
        return binary

    def _choose(self, path: Path) -> ChosenBinary:
        try:
            found = self.look(path)
        except CliFailed as error:
            # It may be in the middle of an update, or a version that does not start.
            proven = self._proven()
            if proven is None:
                raise
            return ChosenBinary(None, None, proven, error)
        proof = self.proof(found)
        if proof is not None and proof.holds:
            return ChosenBinary(found, proof, dataclasses.replace(found, capabilities=proof.capabilities))
        problem = None if proof is None else self._unproven(found, proof.broken[0])
        proven = self._proven()
        if proven is None and (proof is None or self._settings.unproven == "serve"):
            proven = found
        return ChosenBinary(found, proof, proven, problem)

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
        stamp = _stamp(path)
        if stamp is None:
            raise CliFailed(f"The claude CLI at {path} cannot be read.", code="cli_missing")
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


def _needs(conversation: Conversation) -> Iterator[str]:
    """Yield the capabilities that a conversation needs, of those that have no other way."""
    options = conversation.options
    if conversation.offered:
        yield "tools"
        if not options.parallel_tools:
            yield "one_call"
    if options.schema is not None:
        yield "structured"
    if options.max_tokens is not None:
        yield "max_tokens"
    if options.effort is not None:
        yield "effort"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file is replaced, or one in a folder; None where there is nothing to be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _version(path: Path, environ: Mapping[str, str]) -> tuple[int, int, int]:
    try:
        shown = subprocess.run(
            [path, "--version"],
            env=command.environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT_SECONDS,
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
