"""The settings as a command wants them that asks a running server."""

from __future__ import annotations

import click

from app.config import Settings
from app.console.machine import Machine
from app.console.service import installed_port
from app.errors import ConfigError


def read(machine: Machine, port: int | None) -> Settings:
    """Return the settings of the environment, with the port of an installed service where nobody names another.

    Raises ClickException naming the setting that cannot be used.
    """
    environ = dict(machine.environ)
    if port is not None:
        environ["PORT"] = str(port)
    elif not environ.get("PORT") and (installed := installed_port(machine)) is not None:
        environ["PORT"] = str(installed)
    try:
        return Settings.from_environ(environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
