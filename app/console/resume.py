"""claude-max-api resume: accept the extra usage that is known now. A running server notices by itself."""

from __future__ import annotations

import click

from app import moments
from app.claude.cli.extra_usage import ExtraUsageFile
from app.config_reading import read_settings
from app.errors import ConfigError


@click.command()
def resume() -> None:
    """Accept extra usage until the plan's reset.

    Requests that the server refuses because the last answer was billed beyond the plan are answered again, and billed;
    after the reset the server refuses as before.
    """
    try:
        file = ExtraUsageFile(read_settings(fit=False).state_dir)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    try:
        accepted = file.resume()
    except OSError as error:
        raise click.ClickException(f"{file.path} cannot be written: {error.strerror}") from None
    if not accepted:
        click.echo("No answer was billed beyond the plan: nothing is refused for that.", err=True)
        return
    for extra in accepted:
        models = "all models" if extra.models == "all" else f"{extra.models} models"
        until = moments.local(extra.until)
        click.echo(f"Extra usage is accepted for {models} until {until} ({extra.window}).", err=True)
