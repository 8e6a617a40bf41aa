"""claude-max-api login: the login of the `claude` that this server uses."""

from __future__ import annotations

import click

from app.claude.cli.binary import Locator
from app.console.machine import Machine, pass_machine
from app.console.settings import read
from app.errors import CliFailed


@click.command()
@pass_machine
def login(machine: Machine) -> None:
    """Log in, with the login of the claude that was found.

    A server that runs need not be restarted.
    """
    try:
        path = Locator(read(machine, None)).found().path
    except CliFailed as error:
        raise click.ClickException(error.message) from None
    machine.become([str(path), "auth", "login"])
