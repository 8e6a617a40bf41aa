"""The settings as a command wants them that asks a running server."""

from __future__ import annotations

import click

from app.config import Settings
from app.config_reading import read_settings
from app.console.machine import Machine
from app.console.service import installed_port
from app.errors import ConfigError


def environ_of(machine: Machine, port: int | None) -> dict[str, str]:
    """Return the environment with the port that is named, or that of an installed service where nobody names one."""
    environ = dict(machine.environ)
    if port is None and not environ.get("PORT"):
        port = installed_port(machine)
    return environ if port is None else {**environ, "PORT": str(port)}


def read(machine: Machine, port: int | None) -> Settings:
    """Return the settings of the environment, with the port of an installed service where nobody names another.

    Raises ClickException naming the setting that cannot be used.
    """
    try:
        return read_settings(environ_of(machine, port))
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
