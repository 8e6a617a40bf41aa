"""claude-max-api service: run the server in the background, from the login on, on macOS and Linux."""

from __future__ import annotations

import json
import re

import click

from app import address, config_file
from app.config import setting_names
from app.config_reading import read_settings
from app.console.machine import Machine, pass_machine
from app.console.running_server import Server
from app.console.serve import check_port
from app.console.service import log_lines
from app.console.service.installation import Installation, shown
from app.console.service.launchd import LaunchAgent
from app.console.service.program import find_missing
from app.console.service.state import ServiceState
from app.console.service.steps import Step, Write, describe, perform
from app.console.service.systemd import UserUnit
from app.errors import ConfigError

# How long a server may take to answer after its start, in seconds: two starts of the CLI on a busy machine.
ANSWERS_WITHIN_SECONDS = 15.0
TICK_SECONDS = 0.25


@click.group()
def service() -> None:
    """Run the server in the background, from your login on."""


@service.command()
@click.option("--dry-run", is_flag=True, help="Show the file and the commands; change nothing.")
@pass_machine
def install(machine: Machine, *, dry_run: bool) -> None:
    """Install and start it, with this environment's settings.

    Install again after an upgrade, or to change a setting.
    """
    unit = unit_for(machine)
    try:
        settings = read_settings(machine.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    installation = Installation.of(machine, settings)
    if dry_run:
        _announce(installation, _forgotten(unit, installation))
        _show(unit.install(installation, upgrade=unit.file.is_file()))
        _warn(unit)
        return
    state = _reachable(unit)
    if state.pid is None:
        try:
            check_port(settings)
        except ConfigError as error:
            raise click.ClickException(
                f"{error}; the service can have another: `PORT={settings.port + 1} claude-max-api service install`"
            ) from None
    forgotten = _forgotten(unit, installation)
    steps = unit.install(installation, upgrade=state.installed or state.loaded)
    perform(steps, machine, unit.sentence)
    click.echo(f"{'Replaced' if state.installed else 'Wrote'} {', '.join(_written(steps))}")
    _announce(installation, forgotten)
    _await(machine, Server(settings.host, settings.port))
    if hint := unit.hint():
        click.echo(hint)


@service.command()
@click.option("--dry-run", is_flag=True, help="Show the commands; change nothing.")
@pass_machine
def uninstall(machine: Machine, *, dry_run: bool) -> None:
    """End it and remove it."""
    unit = unit_for(machine)
    if dry_run:
        _show(unit.uninstall())
        _warn(unit)
        return
    state = unit.state()
    if not (state.installed or state.loaded):
        click.echo("The service is not installed; nothing to do.")
        return
    _reachable(unit)
    perform(unit.uninstall(), machine, unit.sentence)
    click.echo(f"Removed {unit.file}")


@service.command()
@pass_machine
def start(machine: Machine) -> None:
    """Start it, if it does not run."""
    unit = unit_for(machine)
    perform(unit.start(_installed(unit)), machine, unit.sentence)
    _await(machine, _server(machine))


@service.command()
@pass_machine
def stop(machine: Machine) -> None:
    """End it until the next login; running answers get their time."""
    unit = unit_for(machine)
    _installed(unit)
    perform(unit.stop(), machine, unit.sentence)
    click.echo("Stopped; it starts again at your next login, or with `claude-max-api service start`.")


@service.command()
@pass_machine
def restart(machine: Machine) -> None:
    """Start it anew."""
    unit = unit_for(machine)
    perform(unit.restart(_installed(unit)), machine, unit.sentence)
    _await(machine, _server(machine))


@service.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: installed, loaded, pid, missing, url, answers.")
@pass_machine
@click.pass_context
def status(context: click.Context, machine: Machine, *, as_json: bool) -> None:
    """Say whether it is installed, runs and answers.

    The exit status is 1 when it does not.
    """
    unit = unit_for(machine)
    # For programs a session that is missing is a fact like others: `problem`.
    state = unit.state() if as_json else _reachable(unit)
    server = _server(machine)
    answers = state.installed and server.is_ours()
    healthy = state.pid is not None and answers
    missing = find_missing(unit.file.read_text(errors="replace")) if unit.file.is_file() else None
    if as_json:
        told = {"name": unit.name, **state._asdict(), "missing": missing, "url": server.url, "answers": answers}
        click.echo(json.dumps(told, indent=2))
        context.exit(0 if healthy else 1)
    click.echo(f"{unit.name}: {state.text}")
    if missing:
        click.echo(f"{missing}; `claude-max-api service install`, of an installation that is whole, mends it", err=True)
    if state.installed:
        click.echo(f"{server.url}: {'answers' if answers else 'no answer'}; `claude-max-api status` says more")
    else:
        click.echo("`claude-max-api service install` installs it.")
    context.exit(0 if healthy else 1)


@service.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what it says from now on.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they were written, an object each.")
@pass_machine
def logs(machine: Machine, *, follow: bool, as_json: bool) -> None:
    """Show the last of its log."""
    unit = unit_for(machine)
    if not unit.file.is_file():
        raise click.ClickException("The service is not installed: `claude-max-api service install` does it.")
    argv = unit.logs(follow=follow)
    try:
        if as_json:
            machine.become(argv)
        for line in machine.lines(argv):
            click.echo(log_lines.readable(line))
    except OSError as error:
        raise click.ClickException(f"{argv[0]}: {error.strerror}") from None


def unit_for(machine: Machine) -> LaunchAgent | UserUnit:
    """Return this system's kind of service. Raises ClickException where there is none."""
    if machine.platform == "darwin":
        return LaunchAgent(machine)
    if machine.platform == "linux":
        return UserUnit(machine)
    raise click.ClickException(f"There is no service for {machine.platform}; run `claude-max-api serve` instead.")


def installed_port(machine: Machine) -> int | None:
    """Return the port that an installed service serves, or None."""
    try:
        text = unit_for(machine).file.read_text(errors="replace")
    except (OSError, click.ClickException):
        return None
    # `... serve 3456` in a unit, two neighbouring strings in a property list.
    found = re.search(r"(?: |>)serve(?: |</string>\s*<string>)([0-9]{1,5})\b", text)
    return int(found[1]) if found else None


def _server(machine: Machine) -> Server:
    try:
        given = config_file.completed(machine.environ, "HOST", "PORT")
        host, (port, *_) = address.read(given if installed_port(machine) is None else {**given, "PORT": ""})
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    return Server(host, installed_port(machine) or port)


def _show(steps: list[Step]) -> None:
    click.echo("Would do, in this order:")
    for step in steps:
        click.echo(describe(step))


def _written(steps: list[Step]) -> list[str]:
    return [str(step.path) for step in steps if isinstance(step, Write)]


def _announce(installation: Installation, forgotten: list[str]) -> None:
    if installation.environ:
        click.echo("Settings taken from this environment into the file, which only you can read:")
        for name, value in installation.environ.items():
            click.echo(f"  {name}={shown(name, value)}")
    for name in installation.left_out:
        instead = ": `claude-max-api login` gives the service one" if name == "CLAUDE_CODE_OAUTH_TOKEN" else ""
        click.echo(f"NOT taken, as it is a credential: {name}{instead}")
    if forgotten:
        click.echo(f"No longer set, as this environment lacks them: {', '.join(forgotten)}")


def _forgotten(unit: LaunchAgent | UserUnit, installation: Installation) -> list[str]:
    """Return the settings that the installed service has and the new one will not have."""
    try:
        before = unit.file.read_text(errors="replace")
    except OSError:
        return []
    after = unit.content(installation).decode(errors="replace")

    def gone(name: str) -> bool:
        there = re.compile(rf'(?:>|"){name}(?:<|=)')
        return there.search(before) is not None and there.search(after) is None

    return list(filter(gone, setting_names()))


def _warn(unit: LaunchAgent | UserUnit) -> None:
    problem = unit.state().problem
    if problem is not None:
        click.echo(f"\nBut not here: {problem}", err=True)


def _reachable(unit: LaunchAgent | UserUnit) -> ServiceState:
    state = unit.state()
    if state.problem is not None:
        raise click.ClickException(state.problem)
    return state


def _installed(unit: LaunchAgent | UserUnit) -> ServiceState:
    state = _reachable(unit)
    if not state.installed:
        raise click.ClickException("The service is not installed: `claude-max-api service install` does it.")
    return state


def _await(machine: Machine, server: Server) -> None:
    for _ in range(int(ANSWERS_WITHIN_SECONDS / TICK_SECONDS)):
        if server.is_ours(TICK_SECONDS):
            click.echo(f"It serves {server.url}/v1; `claude-max-api doctor` tells whether all is well.")
            return
        machine.pause(TICK_SECONDS)
    raise click.ClickException(f"It does not answer at {server.url} yet; see `claude-max-api service logs`.")
