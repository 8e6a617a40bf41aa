"""claude-max-api config init, check and show: the configuration file of the server."""

from __future__ import annotations

import dataclasses
import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from app import config_file
from app.agents.agent import Agent
from app.config import Settings
from app.config_reading import Reading
from app.console.config_option import config_option
from app.console.machine import Machine, pass_machine
from app.console.misspelt import find_misspelt

WIDTH = 100
HEAD = """\
# The settings of claude-max-api-proxy: https://toml.io. `claude-max-api config check` names every mistake.
# A variable of the environment wins over its setting here. A server that runs reads this again when it gets SIGHUP,
# and with `claude-max-api service restart`.
"""
AGENTS = """\
# Agents by name: `claude-max-api docs agents`. Clients use the name as a model.
#[agents.notes]
#model = "sonnet"
#workspace = "~/notes"
#tools = ["Read", "Grep", "mcp:home"]
#keys = ["laptop"]
#fallback = ["haiku"]

#[mcp.home]
#command = "uvx"
#args = ["mcp-home-assistant"]
#env = { HA_TOKEN = "$HA_TOKEN" }
"""
HIDDEN = "********"


@click.command()
@config_option
def init() -> None:
    """Write a configuration file of comments.

    Every setting is in it, with its default.
    """
    path = config_file.where(os.environ)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(template())
    except FileExistsError:
        raise click.ClickException(f"{path} is there already; `claude-max-api config show` shows it.") from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"Wrote {path}")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@pass_machine
@click.pass_context
def check(context: click.Context, machine: Machine, file: Path | None) -> None:
    """Name every mistake, with its line.

    It looks at the configuration FILE and the environment. The exit status is 1 when there is a mistake.
    """
    environ = dict(machine.environ) | ({config_file.VARIABLE: str(file.absolute())} if file is not None else {})
    found = Reading.of(environ)
    mistakes = [*found.mistakes, *found.unfit, *found.settings.agents.doubts, *find_misspelt(environ).values()]
    for sentence in mistakes:
        click.echo(sentence)
    if danger := config_file.danger(found.file):
        click.echo(f"Warning: {danger}", err=True)
    if not mistakes:
        there = "" if found.file.exists else ", which is not there: `claude-max-api config init` writes one"
        click.echo(f"No mistake in the environment, nor in {found.file.path}{there}.", err=True)
    context.exit(1 if mistakes else 0)


@click.command()
@config_option
@pass_machine
def show(machine: Machine) -> None:
    """Print what counts, and where it comes from.

    It is written as a configuration file; secrets are hidden.
    """
    found = Reading.of(machine.environ)
    for sentence in (*found.mistakes, *found.unfit, *found.settings.agents.doubts):
        click.echo(f"# {sentence}")
    rows = list(_rows(found))
    width = min(60, max(len(left) for left, _ in rows))
    for left, source in rows:
        click.echo(f"{left:{width}}  # {source}")
    for agent in found.settings.agents.agents.values():
        click.echo(f"\n{_shown(agent, found.file.place('agents', agent.name))}")
    for name, fallback in found.settings.agents.fallbacks.items():
        click.echo(f"\n{_table(f'models.{name}', {'fallback': fallback}, found.file.place('models', name))}")
    for name in found.settings.agents.servers:
        click.echo(f"\n{_shown_server(name, found.file.tables['mcp'][name], found.file.place('mcp', name))}")


def template() -> str:
    """Return a configuration file with every setting as a comment."""
    parts = [HEAD]
    for field in _settings():
        doc = textwrap.fill(field.metadata["doc"].replace("`", ""), WIDTH, initial_indent="# ", subsequent_indent="# ")
        name, value = config_file.name_of(field.metadata["env"]), _value(field, field.default)
        parts.append(f"{doc}\n#{name} = {value}".rstrip() + "\n")
    return "\n".join((*parts, AGENTS))


def written(value: Any) -> str:
    """Return a setting's value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(written, value))}]"
    return json.dumps(str(value), ensure_ascii=False)


def _rows(found: Reading) -> Iterator[tuple[str, str]]:
    for field in _settings():
        value = _value(field, getattr(found.settings, field.name))
        row = f"{config_file.name_of(field.metadata['env'])} = {value}"
        yield row if value else f"#{row.rstrip()}", found.origins.get(field.name, "default")


def _value(field: dataclasses.Field[Any], value: Any) -> str:
    """Return a setting as it may be shown; nothing where it has no value."""
    if value in (None, ()):
        return ""
    if field.name == "reserve" and value:
        return written(f"{100 * value:g}%")
    return written(HIDDEN if field.metadata["secret"] else value)


def _shown(agent: Agent, place: str) -> str:
    tools = (*agent.tools, *(f"mcp:{server.name}" for server in agent.servers))
    told: dict[str, Any] = {"model": agent.model, "tools": tools, "keys": agent.keys, "workspace": agent.workspace}
    told |= {"permission_mode": agent.permission_mode, "allowed": agent.allowed, "system": agent.system or None}
    told |= {"effort": agent.effort, "folders": agent.folders, "show": agent.show, "openclaw": agent.openclaw}
    told |= {"fallback": agent.fallback, "sessions": agent.sessions}
    return _table(f"agents.{agent.name}", told, place)


def _shown_server(name: str, given: Mapping[str, Any], place: str) -> str:
    # As the file has it, since what stands for a variable there may be a secret.
    hidden = {key: tuple(given[key]) for key in ("env", "headers") if key in given}
    return _table(f"mcp.{name}", {**given, **hidden}, place)


def _table(name: str, values: Mapping[str, Any], place: str) -> str:
    rows = [f"{key} = {written(value)}" for key, value in values.items() if value not in (None, ())]
    return "\n".join((f"[{name}]  # {place}", *rows))


def _settings() -> list[dataclasses.Field[Any]]:
    """Return the settings that may stand in the file."""
    fields = dataclasses.fields(Settings)
    return [field for field in fields if field.metadata.get("env", config_file.VARIABLE) != config_file.VARIABLE]
