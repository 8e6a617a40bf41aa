"""Where a turn gets its process from, and where it goes afterwards."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from app.agents.agent import Workplace
from app.claude.cli import command, mcp, transcript
from app.claude.cli.binary import Binary, Locator
from app.claude.cli.channel import Deadlines, finished
from app.claude.cli.extra_usage import ExtraUsageFile, ExtraUsageGuard, Mode
from app.claude.cli.incoming import RateLimitInfo
from app.claude.cli.login import Login
from app.claude.cli.mcp import McpServers
from app.claude.cli.plan import Inquiry, Plan
from app.claude.cli.registry import RECORDS, Registry
from app.claude.shelf.fate import What
from app.claude.shelf.keeper import Keeper
from app.claude.shelf.memory import subject
from app.claude.shelf.shelf import Shelf, Taken, Waiting
from app.config import Settings
from app.conversation import ClaudeSession, Conversation, Message
from app.errors import ConfigError, ProxyError
from app.models import Catalogue

log = logging.getLogger(__name__)

# How long a turn that is interrupted may take to end; then its process is ended.
UNDO_SECONDS = 1.0
# https://docs.openclaw.ai/concepts/agent-workspace
OPENCLAW_WORKSPACE = ".openclaw/workspace"
# In the state folder, for agents without a folder of their own.
AGENT_FOLDERS = "agent-workspaces"


class Processes:
    """Processes for turns, of which `running` counts those that go on.

    Call `open` in the process that serves, after any fork, and `close` before it ends.
    """

    def __init__(self, settings: Settings, catalogue: Catalogue, running: Callable[[], int]) -> None:
        self.catalogue = catalogue
        self.locator = Locator(settings)
        self.plan = Plan(catalogue.family, settings.limit_probe)
        self.login = Login(settings.cli_environ, changed=self.plan.forget)
        self.registry = Registry(settings.state_dir / RECORDS)
        self.shelf = Shelf(
            settings.keep,
            settings.keep_seconds,
            allowed=settings.max_concurrency,
            running=running,
            registry=self.registry,
        )
        self.keeper = Keeper(
            self.shelf,
            {None: settings.spares},
            current=self.locator.current,
            start=self._start_spare,
            undo=self._undo_abandoned,
            registry=self.registry,
            catalogue=catalogue,
        )
        self.inquiry = Inquiry(self.plan, self.keeper.ask)
        self.extra_usage = ExtraUsageGuard(
            cast("Mode", settings.extra_usage),
            ExtraUsageFile(settings.state_dir),
            catalogue.family,
            windows=lambda: self.plan.windows,
            look=self.inquiry.look,
            probe=settings.limit_probe,
        )
        self._settings = settings
        self._running = running
        self._workspace = settings.state_dir / "workspace"

    def open(self) -> None:
        """Make the folders, end what a killed worker left behind and start the first spare.

        Raises ConfigError when the state folder cannot be used.
        """
        state = self._settings.state_dir
        for folder in (state, self._workspace, state / RECORDS, state / mcp.FOLDER):
            private_folder(folder)
        mcp.remove_old_files(state)
        threading.Thread(target=self.registry.sweep, name="sweep", daemon=True).start()
        self.keeper.open()

    def take(
        self, conversation: Conversation, digests: Sequence[bytes], steps: Sequence[Message], failed: str | None
    ) -> Taken:
        """Return the process that knows most of a conversation, else one that was started in advance, else a new one.

        An agent's works in its own folder; it is never one that a chat gets, or another agent. `failed` says in what
        way a process served this turn that failed it. Raises CliFailed, also where the executable that serves does not
        do what the conversation needs.
        """
        binary = self.locator.serving(conversation)
        workplace = conversation.workplace
        if conversation.kept is not None:
            # A process that waits does not see what a terminal adds meanwhile, and would lose it.
            self.shelf.make_room(self._running())
            return Taken(self.start(binary, workplace, kept=conversation.kept))
        taken = self.shelf.take(digests, steps, workplace, binary) if failed is None else None
        if taken is not None:
            return taken
        self.shelf.make_room(self._running())
        if failed in {"spare", "cold"}:
            return Taken(self.start(binary, workplace))
        if workplace is not None and workplace.usual and len(self.keeper.wanted) <= self._settings.spares:
            # The first such turn asks for it, since a process takes memory.
            self.keeper.wanted.setdefault(workplace, 1)
        return Taken(self.shelf.take_spare(workplace, binary) or self.start(binary, workplace))

    def take_about(self, conversation: Conversation, steps: Sequence[Message]) -> Waiting:
        """Return a process that can be told these steps of a plain chat from the first on. Raises CliFailed."""
        binary = self.locator.current()
        found = self.shelf.take_about(subject(conversation), steps, binary)
        if found is None or found.spare:
            self.shelf.make_room(self._running())
        return found or self.start(binary)

    def start(
        self,
        binary: Binary,
        workplace: Workplace | None = None,
        *,
        kept: ClaudeSession | None = None,
        cause: str = "request",
    ) -> Waiting:
        """Start a process, which is counted under `cause`, for a session that Claude Code has `kept` or for none.

        Raises CliFailed when it does not start.
        """
        model = self.catalogue.resolve("default", self._settings.default_model)
        environ, servers = self._settings.cli_environ, None
        if workplace is not None:
            servers = McpServers.of(workplace.servers, self._settings.state_dir)
            file = servers.written() if servers is not None else None
            argv = command.agent_argv(binary.path, model, workplace, self._settings, servers=file, kept=kept)
            env, folder = command.agent_environment(environ), self._folder(workplace)
        else:
            argv, env, folder = command.argv(binary.path, model), command.environment(environ), self._workspace
        with contextlib.suppress(OSError):  # the start itself says what is wrong
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Before there is a process, which nothing would end if this failed.
        used = transcript.used(kept) if kept is not None else None
        process = self.registry.start(argv, env, folder, with_tools=workplace is not None, cause=cause)
        waiting = Waiting(process, binary, workplace, servers, kept, in_advance=cause != "request")
        if used is not None:
            waiting.channel.account.go_on(*used)
        return waiting

    def admit(self, model: str) -> None:
        """Raise PlanLimit or ExtraUsage if the plan is known not to pay for this model now."""
        self.extra_usage.check(model)
        self.plan.check(model)

    def hear(self, model: str, limit: RateLimitInfo) -> None:
        """Take over what the API said of the plan's use with an answer of this model."""
        self.plan.note(limit)
        self.extra_usage.note(limit, model)

    def part_with(self, waiting: Waiting, what: What, cause: str, *, interrupted: bool) -> None:
        """Carry out what was decided about a turn's process. `interrupted` says that the turn ends already."""
        if what == "keep" or (what == "undo" and waiting.channel.idle):
            self.shelf.put(waiting)
        elif what == "undo":
            self._undo(waiting, interrupted=interrupted, cause=cause)
        else:
            if what == "kill":
                waiting.process.kill()
                self.registry.dispose(waiting.process, at_once=True, cause=cause)
            else:
                self.shelf.discard(waiting, cause)
            if waiting.kept is not None:
                # The transcript is whole when its writer is gone; only then may another one go on with it.
                waiting.process.close(at_once=what == "kill")

    def stop(self) -> None:
        """End the processes that wait, and accept no others; idempotent."""
        self.keeper.close()
        self.shelf.close()

    def close(self) -> None:
        """End every process and wait for it; idempotent and bounded."""
        self.stop()
        self.registry.close()
        # The registry has refused any process that the keeper was starting.
        self.keeper.join()

    def _start_spare(self, workplace: Workplace | None) -> Waiting:
        return self.start(self.locator.current(), workplace, cause="spare")

    def _undo(self, waiting: Waiting, *, interrupted: bool, cause: str) -> None:
        """Interrupt a turn, unless it was, and put its process on the shelf. End the process if that takes too long.

        A process that only waits for the results of its calls can be taken at once. Any other may hang, and can be
        taken when it has ended its turn.
        """
        parked = bool(waiting.memory.calls)
        waiting.memory.calls, waiting.memory.exact = frozenset(), False
        waiting.channel.deadlines = Deadlines(2 * UNDO_SECONDS, 2 * UNDO_SECONDS)
        if not interrupted:
            with contextlib.suppress(ProxyError):  # it is noticed in the background
                waiting.channel.interrupt()
        if parked:
            self.shelf.put(waiting)
        see_to_its_end = self._end_on_shelf if parked else self._end_first
        threading.Thread(target=see_to_its_end, args=(waiting, cause), name="undo", daemon=True).start()

    def _end_first(self, waiting: Waiting, cause: str) -> None:
        try:
            finished(waiting.channel.until_idle(UNDO_SECONDS))
        except ProxyError as error:
            log.info("not undone pid=%d error=%s", waiting.process.pid, error.code)
            self.shelf.discard(waiting, cause)
        else:
            self.shelf.put(waiting)

    def _end_on_shelf(self, waiting: Waiting, cause: str) -> None:
        def is_over(_: Waiting) -> bool:
            waiting.channel.drain()
            return waiting.channel.idle

        with contextlib.suppress(ProxyError):
            if self.shelf.look(lambda one: one is waiting, UNDO_SECONDS, is_over):
                return
        if self.shelf.give_up([waiting], cause):  # else a request has taken it
            log.info("not undone pid=%d", waiting.process.pid)

    def _undo_abandoned(self, waiting: Waiting) -> None:
        """Undo a turn whose calls nobody has answered in time."""
        if not self.shelf.undoes(waiting):
            self.shelf.discard(waiting)
            return
        self._undo(waiting, interrupted=False, cause="surplus")

    def _folder(self, workplace: Workplace) -> Path:
        agent = workplace.agent
        if (named := workplace.folder or agent.workspace) is not None:
            return Path(named)
        if agent.name:
            return self._settings.state_dir / AGENT_FOLDERS / agent.name
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
