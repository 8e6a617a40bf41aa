"""claude-max-api open: the status page in the browser."""

from __future__ import annotations

import click

from app.console import running_server
from app.console.machine import Machine, pass_machine
from app.console.settings import read


@click.command("open")
@running_server.options
@pass_machine
def open_page(machine: Machine, port: int | None, key: str | None) -> None:
    """Open the status page in the browser."""
    running = running_server.reach(read(machine, port), port, key)
    if not running.is_ours():
        raise click.ClickException(f"No server answers at {running.url}; `claude-max-api serve` runs one.")
    click.echo(running.url)
    click.launch(running.url)
