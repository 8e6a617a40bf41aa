"""claude-max-api prove: try an executable with every promise, now."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click
import msgspec

from app.claude.cli.binary import Binary, Locator
from app.claude.cli.proofs import Outcome, Proof
from app.claude.cli.registry import Registry
from app.claude.shelf.processes import private_folder
from app.config import Settings
from app.console.machine import Machine, pass_machine
from app.console.settings import read
from app.errors import CliFailed, ConfigError
from app.proof import report
from app.proof.broken import Unprovable
from app.proof.proving import prove as try_all

COULD_NOT = 2


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs: the proof, and what differs from the one before.")
@pass_machine
@click.pass_context
def prove(context: click.Context, machine: Machine, path: Path | None, *, as_json: bool) -> None:
    """Try what this server promises with a claude.

    By default with the one that it would use. Nothing is spent and nothing leaves this machine: the executable gets a
    home, a token and an API of its own. The result is kept, also for a server that runs. Exit status 1 when an
    essential promise is broken, 2 when it could not be tried.
    """
    settings = read(machine, None)
    locator = Locator(settings)
    try:
        private_folder(settings.state_dir)
        binary = locator.look(path.absolute()) if path is not None else locator.found()
    except (CliFailed, ConfigError) as error:
        raise click.ClickException(str(error)) from None
    if not as_json:
        click.echo(f"claude {binary.version_text} at {binary.path}\n")
    try:
        proof = _proof(settings, binary, quiet=as_json)
    except Unprovable as error:
        click.echo(f"It could not be tried: {error}.", err=True)
        context.exit(COULD_NOT)
    before = locator.proofs.before(proof)
    try:
        locator.proofs.keep(proof)
    except OSError as error:
        click.echo(f"The result could not be kept in {settings.state_dir}: {error.strerror}", err=True)
    changes = list(report.changes(proof, before))
    if as_json:
        told = {"holds": proof.holds, **msgspec.to_builtins(proof), "changes": changes}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(proof, before, changes, locator.remedy(binary))
    context.exit(0 if proof.holds else 1)


def _proof(settings: Settings, binary: Binary, *, quiet: bool) -> Proof:
    """Return what is found out, shown as it comes. Raises Unprovable."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="claude-max-api-")
    except OSError as error:
        raise Unprovable(f"there is no place to try it in: {error.strerror}") from None
    with folder:
        registry = Registry(Path(folder.name))
        try:
            told = (lambda _: None) if quiet else _tell
            return try_all(binary, registry, settings.cli_environ.get("PATH", ""), told=told)
        finally:
            registry.close()


def _tell(outcome: Outcome) -> None:
    colour = "green" if outcome.kept else "red" if outcome.essential else "yellow"
    word, _, rest = report.line(outcome).partition(" ")
    click.echo(f"{click.style(word, fg=colour)} {rest}")


def _show(proof: Proof, before: Proof | None, changes: list[str], remedy: str) -> None:
    click.echo(f"\n{report.summary(proof)} ({proof.seconds:.1f} s, {proof.cpu_seconds:.1f} s of CPU).")
    if before is not None:
        click.echo("\n".join(changes) if changes else f"Nothing differs from claude {before.version}.")
    if not proof.holds:
        click.echo(f"-> {remedy}")
