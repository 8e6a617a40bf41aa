"""The command `claude-max-api`."""

from __future__ import annotations

import click

from app.console.serve import serve
from app.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="claude-max-api")
def main() -> None:
    """Use a Claude subscription from any OpenAI client."""


main.add_command(serve)
