"""Where a turn gets its process from: the executable, its login, spares and fresh starts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

from app import agent_turns
from app.claude import command
from app.claude.binary import Locator
from app.claude.inquiry import Inquiry
from app.claude.kept import Kept, KeptProcesses
from app.claude.login import Login
from app.claude.plan import Plan
from app.claude.primed import Primed
from app.claude.process import Process
from app.claude.registry import Registry
from app.claude.spares import Spare, Spares
from app.config import Settings
from app.conversation import Conversation
from app.errors import ConfigError
from app.models import Catalogue

# https://docs.openclaw.ai/concepts/agent-workspace
OPENCLAW_WORKSPACE = ".openclaw/workspace"


class Supply:
    """Processes for turns. Call `open` in the process that serves, after any fork, and `close` before it ends."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.locator = Locator(settings)
        self.login = Login(settings.cli_environ)
        self.registry = Registry(settings.state_dir / "processes")
        self.spares = Spares(settings.spares, lambda: self.start(cause="spare"), self.registry, catalogue)
        # None until the first turn that needs one: a process takes memory.
        usual = agent_turns.usual(settings)
        self.agents = Spares(0, lambda: self.start(usual, cause="spare"), self.registry, catalogue)
        self.plan = Plan(catalogue.family, settings.limit_probe)
        self.inquiry = Inquiry(self.plan, self.spares.ask)
        self.kept = KeptProcesses(settings.keep, settings.keep_seconds, self.registry)
        self.primed = Primed(
            settings.primed,
            settings.keep_seconds,
            current=self.locator.current,
            start=lambda: self.start(cause="primed"),
            registry=self.registry,
        )
        self._settings = settings
        self._workspace = settings.state_dir / "workspace"

    def open(self) -> None:
        """Make the folders, end what a killed worker left behind and start the first spare.

        Raises ConfigError when the state folder cannot be used.
        """
        state = self._settings.state_dir
        for folder in (state, self._workspace, state / "processes"):
            private_folder(folder)
        threading.Thread(target=self.registry.sweep, name="sweep", daemon=True).start()
        self.spares.open()

    def take_kept(self, conversation: Conversation, lineage: Sequence[bytes], running: int) -> Kept | None:
        """Return a process that has the beginning of this conversation in it, or its opening, if there is one.

        For one of the latter the kept ones make room, as in `take`. Raises CliFailed.
        """
        binary = self.locator.current()
        kept = self.kept.take(conversation, lineage, binary)
        if kept is not None:
            return kept
        primed = self.primed.take(lineage[0], binary)
        if primed is not None:
            self._make_room(running)
        return primed

    def take(self, running: int, own_tools: tuple[str, ...] = ()) -> Spare:
        """Return a process that was started in advance if there is one, else one started now. Raises CliFailed.

        One with `own_tools` works with these in the workspace; it is never one that a plain chat gets. Kept processes
        make room: with those of the `running` turns they are never more than turns are allowed.
        """
        self._make_room(running)
        spares = self.spares
        if own_tools:
            if own_tools != agent_turns.usual(self._settings):
                return self.start(own_tools)
            spares = self.agents
            if self._settings.spares and not spares.wanted:
                spares.wanted = 1
                spares.open()
        return spares.take(self.locator.current()) or self.start(own_tools)

    def start(self, own_tools: tuple[str, ...] = (), *, cause: str = "request") -> Spare:
        """Start a process, which is counted under `cause`.

        Raises CliFailed when the CLI is missing, too old or does not start.
        """
        binary = self.locator.current()
        model = self.catalogue.resolve("default", self._settings.default_model)
        environ = self._settings.cli_environ
        if own_tools:
            argv = command.agent_argv(binary.path, model, own_tools, self._settings)
            env, folder = command.agent_environment(environ), self._agent_workspace()
        else:
            argv, env, folder = command.argv(binary.path, model), command.environment(environ), self._workspace
        with contextlib.suppress(OSError):  # starting in a folder that is gone says what is wrong
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Spare(self.registry.start(argv, env, folder, with_tools=bool(own_tools), cause=cause), binary)

    def refill(self, *, proven: bool = False) -> None:
        """Replace the spares that were taken soon; `proven` says that a process has just worked."""
        self.spares.refill(proven=proven)
        self.agents.refill(proven=proven)

    def dispose(self, process: Process, *, at_once: bool, cause: str) -> None:
        """End a process in the background; `at_once` when it may be busy. It is counted under `cause`."""
        self.registry.dispose(process, at_once=at_once, cause=cause)

    def stop(self) -> None:
        """End what only waits, and keep nothing any longer; idempotent."""
        self.spares.close()
        self.agents.close()
        self.kept.close()
        self.primed.close()

    def close(self) -> None:
        """End every process and wait for it; idempotent and bounded."""
        self.stop()
        self.registry.close()
        # What it may have been starting meanwhile was refused by the registry.
        self.spares.join()
        self.agents.join()
        self.primed.join()

    def _make_room(self, running: int) -> None:
        self.kept.shrink(self._settings.max_concurrency - running)

    def _agent_workspace(self) -> Path:
        if self._settings.workspace is not None:
            return self._settings.workspace
        openclaw = Path(self._settings.cli_environ.get("HOME", "/")) / OPENCLAW_WORKSPACE
        return openclaw if openclaw.is_dir() else self._settings.state_dir / "agent-workspace"


def private_folder(path: Path) -> None:
    """Make a folder that only this user can enter. Raises ConfigError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            f"CLAUDE_PROXY_STATE_DIR: {path} cannot be used ({error.strerror}); name a folder you may write to"
        ) from error
