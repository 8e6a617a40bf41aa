"""claude-max-api login: the login of the `claude` that this server uses."""

from __future__ import annotations

import click

from app.claude.cli.binary import Locator
from app.config_reading import Reading
from app.console.machine import Machine, pass_machine
from app.errors import CliFailed, ConfigError


@click.command()
@pass_machine
def login(machine: Machine) -> None:
    """Log in, with the login of the claude that was found.

    A server that runs need not be restarted.
    """
    try:
        # Where the server is to listen to other machines, its first key may be made after the login.
        found = Reading.of(machine.environ)
        path = Locator(found.sound(found.mistakes)).found().path
    except (CliFailed, ConfigError) as error:
        raise click.ClickException(str(error)) from None
    machine.become([str(path), "auth", "login"])
