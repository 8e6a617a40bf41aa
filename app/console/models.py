"""claude-max-api models: what this login may use."""

from __future__ import annotations

import json
from typing import Any

import click

from app.claude.cli import login
from app.claude.cli.binary import Locator
from app.config import Settings
from app.console import running_server, start
from app.console.machine import Machine, pass_machine
from app.console.running_server import NoAnswer
from app.console.settings import read
from app.errors import CliFailed
from app.models import Catalogue
from app.web.model_access import agent_entry


@click.command()
@running_server.options
@click.option("--json", "as_json", is_flag=True, help="The list as GET /v1/models gives it.")
@pass_machine
def models(machine: Machine, port: int | None, key: str | None, *, as_json: bool) -> None:
    """List the models; this costs nothing.

    They come from the running server, or else from `claude`.
    """
    settings = read(machine, port)
    running = running_server.reach(settings, port, key)
    if running.is_ours():
        try:
            answer = running.fetch("/v1/models")
        except NoAnswer as error:
            raise click.ClickException(str(error)) from None
        entries, source = answer.body.get("data") or [], f"the server at {running.url}"
    else:
        entries, source = _from_cli(settings)
    if as_json:
        click.echo(json.dumps({"object": "list", "data": entries}, indent=2))
        return
    width = max((len(entry["id"]) for entry in entries), default=0)
    for entry in entries:
        told = " - ".join(entry[name] for name in ("name", "description") if entry.get(name))
        click.echo(f"{entry['id']:{width}}  {told}".rstrip())
    click.echo(f"({source} says so)", err=True)


def _from_cli(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    catalogue = Catalogue()
    try:
        binary = Locator(settings).found()
        catalogue.update(start.initialize(settings, binary.path))
        if not login.ask(binary.path, settings.cli_environ)[0]:
            click.echo("claude is not logged in: this is its general list, not your plan's.", err=True)
    except CliFailed as error:
        raise click.ClickException(f"{error.message}\n`claude-max-api doctor` looks further.") from None
    agents = [agent_entry(agent, catalogue.find(agent.model or "")) for agent in settings.agents.agents.values()]
    return [*catalogue.entries(), *agents], f"no server answers; claude {binary.version_text}"
