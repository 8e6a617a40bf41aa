"""What the checks look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from app.claude.cli.binary import Locator, command_line, update
from app.claude.cli.payer import LoginDetails
from app.config import Settings
from app.config_reading import Reading
from app.console.machine import Machine
from app.console.running_server import Server
from app.console.settings import environ_of


@dataclasses.dataclass
class Case:
    """A machine, and the settings as they were read.

    `binary` is the executable once it is found, `usable` whether its version will do, `login` what it says
    of its login.
    """

    machine: Machine
    reading: Reading
    key: str | None
    binary: Path | None = None
    usable: bool = False
    login: LoginDetails | None = None

    @classmethod
    def of(cls, machine: Machine, port: int | None, key: str | None) -> Case:
        """Read the settings, leaving out what cannot be used."""
        return cls(machine, Reading.of(environ_of(machine, port)), key)

    @property
    def settings(self) -> Settings:
        """The settings that can be used."""
        return self.reading.settings

    @property
    def broken(self) -> list[str]:
        """The sentences about those that cannot."""
        return self.reading.mistakes + self.reading.unfit

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
