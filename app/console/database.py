"""claude-max-api database: what this machine has kept in files goes into the database."""

from __future__ import annotations

import click

from app.claude.cli.registry import RECORDS, Registry
from app.claude.shelf.processes import private_folder
from app.config import Settings
from app.config_reading import read_settings
from app.errors import ConfigError, DatabaseFailed, ProxyError
from app.storage import open_storage


@click.group()
def database() -> None:
    """Fill the database that several hosts share."""


@database.command()
def copy() -> None:
    """Copy this machine's sessions, responses, API keys and ledger into CLAUDE_PROXY_DATABASE.

    Stop the server first. Nothing here is changed or deleted; what the database has already under the same name stays
    as it is there, so that the command may be given again.
    """
    try:
        _copy(read_settings(fit=False))
    except (ConfigError, DatabaseFailed, ProxyError) as error:
        raise click.ClickException(str(error)) from None


def _copy(settings: Settings) -> None:
    if not settings.database:
        raise ConfigError("CLAUDE_PROXY_DATABASE names no database; set it to where everything is to go.")
    private_folder(settings.state_dir)
    there = open_storage(settings).database
    assert there is not None  # noqa: S101 - it is named
    # Imported late, as in open_storage.
    from app.takeover import take_over  # noqa: PLC0415

    for what, found, added, refused in take_over(settings.state_dir, there, settings.session_seconds):
        same = found - added - len(refused)
        already = f"; {same} were there already" if same else ""
        click.echo(f"{what}: {found} found, {added} copied{already}.")
        for name in refused:
            click.echo(
                f"{name}: not copied, since the database has another key of this name, or this one was revoked there. "
                "Its clients need a key of the database.",
                err=True,
            )
    for worker in sorted(Registry(settings.state_dir / RECORDS).owners()):
        click.echo(
            f"A server runs with this state folder, as process {worker}. Unless it uses the database already, what it "
            "is told from now on is not copied: stop it, give this command again, and start it with "
            "CLAUDE_PROXY_DATABASE.",
            err=True,
        )
