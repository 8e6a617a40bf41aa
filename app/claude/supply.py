"""Where a turn gets its process from: the executable, its login, spares and fresh starts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

from app.claude import command
from app.claude.binary import Locator
from app.claude.kept import Kept, KeptProcesses
from app.claude.login import Login
from app.claude.process import Process
from app.claude.registry import Registry
from app.claude.spares import Spare, Spares
from app.config import Settings
from app.conversation import Conversation
from app.errors import ConfigError
from app.models import Catalogue


class Supply:
    """Processes for turns. Call `open` in the process that serves, after any fork, and `close` before it ends."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.locator = Locator(settings)
        self.login = Login(settings.cli_environ)
        self.registry = Registry(settings.state_dir / "processes")
        self.spares = Spares(settings.spares, self.start, self.registry, catalogue)
        self.kept = KeptProcesses(settings.keep, settings.keep_seconds, self.registry)
        self._settings = settings
        self._workspace = settings.state_dir / "workspace"

    def open(self) -> None:
        """Make the folders, end what a killed worker left behind and start the first spare.

        Raises ConfigError when the state folder cannot be used.
        """
        for folder in (self._settings.state_dir, self._workspace, self._settings.state_dir / "processes"):
            private_folder(folder)
        threading.Thread(target=self.registry.sweep, name="sweep", daemon=True).start()
        self.spares.open()

    def take_kept(self, conversation: Conversation, lineage: Sequence[bytes]) -> Kept | None:
        """Return a process that has the beginning of this conversation in it, if there is one. Raises CliFailed."""
        return self.kept.take(conversation, lineage, self.locator.current())

    def take(self, running: int) -> Spare:
        """Return a process that was started in advance if there is one, else one started now. Raises CliFailed.

        Kept processes make room: with those of the `running` turns they are never more than turns are allowed.
        """
        self.kept.shrink(self._settings.max_concurrency - running)
        return self.spares.take(self.locator.current()) or self.start()

    def start(self) -> Spare:
        """Start a process. Raises CliFailed when the CLI is missing, too old or does not start."""
        binary = self.locator.current()
        argv = command.argv(binary.path, self.catalogue.resolve("default", self._settings.default_model))
        env = command.environment(self._settings.cli_environ)
        with contextlib.suppress(OSError):  # starting in a folder that is gone says what is wrong
            self._workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Spare(self.registry.start(argv, env, self._workspace), binary)

    def dispose(self, process: Process, *, at_once: bool) -> None:
        """End a process in the background; `at_once` when it may be busy."""
        self.registry.dispose(process, at_once=at_once)

    def stop(self) -> None:
        """End what only waits, and keep nothing any longer; idempotent."""
        self.spares.close()
        self.kept.close()

    def close(self) -> None:
        """End every process and wait for it; idempotent and bounded."""
        self.stop()
        self.registry.close()
        # What it may have been starting meanwhile was refused by the registry.
        self.spares.join()


def private_folder(path: Path) -> None:
    """Make a folder that only this user can enter. Raises ConfigError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            f"CLAUDE_PROXY_STATE_DIR: {path} cannot be used ({error.strerror}); name a folder you may write to"
        ) from error
