"""Where a turn gets its process from, and where it goes afterwards."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from app import agent_turns
from app.claude.cli import command
from app.claude.cli.binary import Locator
from app.claude.cli.channel import Channel
from app.claude.cli.deadlines import Deadlines
from app.claude.cli.inquiry import Inquiry
from app.claude.cli.login import Login
from app.claude.cli.plan import Plan
from app.claude.cli.process import Process
from app.claude.cli.registry import Registry
from app.claude.shelf.fate import What
from app.claude.shelf.keeper import Keeper
from app.claude.shelf.shelf import Shelf, Taken, Waiting
from app.claude.turn.turn import TurnRun
from app.config import Settings
from app.conversation import Conversation, Turn
from app.errors import ConfigError, ProxyError
from app.models import Catalogue

log = logging.getLogger(__name__)

# How long a turn that is interrupted may take to end, in seconds; then its process is ended.
UNDO_PATIENCE = 1.0
# https://docs.openclaw.ai/concepts/agent-workspace
OPENCLAW_WORKSPACE = ".openclaw/workspace"


class Supply:
    """Processes for turns, of which `running` counts those that go on.

    Call `open` in the process that serves, after any fork, and `close` before it ends.
    """

    def __init__(self, settings: Settings, catalogue: Catalogue, running: Callable[[], int]) -> None:
        self.catalogue = catalogue
        self.locator = Locator(settings)
        self.login = Login(settings.cli_environ)
        self.registry = Registry(settings.state_dir / "processes")
        self.shelf = Shelf(
            settings.keep,
            settings.keep_seconds,
            allowed=settings.max_concurrency,
            running=running,
            registry=self.registry,
        )
        self.keeper = Keeper(
            self.shelf,
            {(): settings.spares},
            current=self.locator.current,
            start=lambda own_tools: self.start(own_tools, cause="spare"),
            undo=self._undo_abandoned,
            registry=self.registry,
            catalogue=catalogue,
        )
        self.plan = Plan(catalogue.family, settings.limit_probe)
        self.inquiry = Inquiry(self.plan, self.keeper.ask)
        self._settings = settings
        self._running = running
        self._workspace = settings.state_dir / "workspace"

    def open(self) -> None:
        """Make the folders, end what a killed worker left behind and start the first spare.

        Raises ConfigError when the state folder cannot be used.
        """
        state = self._settings.state_dir
        for folder in (state, self._workspace, state / "processes"):
            private_folder(folder)
        threading.Thread(target=self.registry.sweep, name="sweep", daemon=True).start()
        self.keeper.open()

    def take(
        self, conversation: Conversation, lineage: Sequence[bytes], steps: Sequence[Turn], failed: str | None
    ) -> Taken:
        """Return the process that knows most of a conversation, else one that was started in advance, else a new one.

        One with tools of Claude Code's own works with these in the workspace; it is never one that a plain chat gets.
        `failed` says in what way a process served this turn that failed it. Raises CliFailed.
        """
        binary = self.locator.current()
        own_tools = conversation.own_tools
        taken = self.shelf.take(lineage, steps, own_tools, binary) if failed is None else None
        if taken is not None:
            return taken
        self.shelf.make_room(self._running())
        if failed in {"spare", "cold"}:
            return Taken(self.start(own_tools))
        if self._settings.spares and own_tools and own_tools == agent_turns.usual(self._settings):
            # None until the first turn that needs one: a process takes memory.
            self.keeper.wanted.setdefault(own_tools, 1)
        return Taken(self.shelf.take_spare(own_tools, binary) or self.start(own_tools))

    def start(self, own_tools: tuple[str, ...] = (), *, cause: str = "request") -> Waiting:
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
        process = self.registry.start(argv, env, folder, with_tools=bool(own_tools), cause=cause)
        return Waiting(process, binary, own_tools, in_advance=cause != "request")

    def undoes(self, waiting: Waiting) -> bool:
        """Tell whether the turn of a process can be undone, and the process be of use to another."""
        return self.shelf.takes and not waiting.own_tools and waiting.binary.capabilities.going_back

    def part_with(self, turn: TurnRun, what: What, cause: str, *, interrupted: bool) -> None:
        """Do with the process of a turn that is over what was decided; `interrupted` says that it was asked to end."""
        waiting, channel = turn.waiting, turn.channel
        if what == "keep" or (what == "undo" and channel.idle):
            self.shelf.put(waiting)
        elif what == "undo":
            self._undo(waiting, channel, interrupted=interrupted, cause=cause)
        else:
            if what == "kill":
                waiting.process.kill()
            self.dispose(waiting.process, at_once=what == "kill", cause=cause)

    def refill(self, *, proven: bool = False) -> None:
        """Replace the spares that were taken soon; `proven` says that a process has just worked."""
        self.keeper.wake(proven=proven)

    def dispose(self, process: Process, *, at_once: bool, cause: str) -> None:
        """End a process in the background; `at_once` when it may be busy. It is counted under `cause`."""
        self.registry.dispose(process, at_once=at_once, cause=cause)

    def stop(self) -> None:
        """End what only waits, and let nothing wait any longer; idempotent."""
        self.keeper.close()
        self.shelf.close()

    def close(self) -> None:
        """End every process and wait for it; idempotent and bounded."""
        self.stop()
        self.registry.close()
        # What it may have been starting meanwhile was refused by the registry.
        self.keeper.join()

    def _undo(self, waiting: Waiting, channel: Channel, *, interrupted: bool, cause: str) -> None:
        """Interrupt a turn and put its process back, in the background; end it where that takes too long."""

        def undo() -> None:
            try:
                if not interrupted:
                    channel.interrupt()
                for _ in channel.until_idle(UNDO_PATIENCE):
                    pass
                channel.tools.forget()
                waiting.memory.calls = frozenset()
                waiting.memory.exact = False
            except ProxyError as error:
                log.info("not undone pid=%d error=%s", waiting.process.pid, error.code)
                waiting.process.kill()
                self.dispose(waiting.process, at_once=True, cause=cause)
                return
            self.shelf.put(waiting)

        threading.Thread(target=undo, name="undo", daemon=True).start()

    def _undo_abandoned(self, waiting: Waiting) -> None:
        """Undo a turn whose calls nobody has answered in time."""
        if not self.undoes(waiting) or waiting.tools is None:
            self.shelf.discard(waiting)
            return
        channel = Channel(waiting.process, waiting.tools, Deadlines(2 * UNDO_PATIENCE, 2 * UNDO_PATIENCE))
        channel.idle = False
        self._undo(waiting, channel, interrupted=False, cause="surplus")

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
