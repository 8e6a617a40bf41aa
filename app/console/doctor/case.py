"""What the checks look at."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from app.claude.cli.binary import Locator, command_line, update
from app.config import Settings, setting_names
from app.console.machine import Machine
from app.console.running_server import Server
from app.console.service import installed_port
from app.errors import ConfigError


@dataclasses.dataclass
class Case:
    """A machine, the settings that can be used, and the sentences about those that cannot.

    `binary` is the executable once it is found, `usable` whether its version will do.
    """

    machine: Machine
    settings: Settings
    broken: list[str]
    key: str | None
    binary: Path | None = None
    usable: bool = False

    @classmethod
    def of(cls, machine: Machine, port: int | None, key: str | None) -> Case:
        """Read the settings, leaving out one after the other what cannot be used."""
        environ = dict(machine.environ)
        if port is not None:
            environ["PORT"] = str(port)
        elif not environ.get("PORT") and (installed := installed_port(machine)) is not None:
            environ["PORT"] = str(installed)
        broken: list[str] = []
        while True:
            try:
                return cls(machine, Settings.from_environ(environ), broken, key)
            except ConfigError as error:
                broken.append(str(error))
                named = re.match(r"[A-Z_]+", str(error))
                guilty = {named[0]} if named and named[0] in environ else set(setting_names()) & set(environ)
                if not guilty:
                    raise
                environ = {name: value for name, value in environ.items() if name not in guilty}

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment the command was called with."""
        return self.machine.environ

    @property
    def server(self) -> Server:
        """Where the server is, if it runs."""
        return Server(self.settings.host, self.settings.port, self.key)

    def locate(self) -> str:
        """Return the version of the executable that was found, as text. Raises CliFailed when it will not do."""
        version = Locator(self.settings).found().version_text
        self.usable = True
        return version

    def claude(self, arguments: str) -> str:
        """Return a command line for the executable that was found, which need not be the one on PATH."""
        if self.binary is None:
            return f"claude {arguments}"
        return command_line(self.binary, self.environ, arguments)

    def update(self) -> str:
        """Return the command that brings a newer version of the executable that was found."""
        return "claude update" if self.binary is None else update(self.binary, self.environ)
