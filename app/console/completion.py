"""claude-max-api completion: what a shell needs to complete the command's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "claude-max-api"
# click's name for the variable by which the script asks the program.
VARIABLE = "_CLAUDE_MAX_API_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL.

    For bash: eval "$(claude-max-api completion bash)" in ~/.bashrc; zsh alike; for fish, a file in
    ~/.config/fish/completions.
    """
    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover - the choices are those that click has
        raise click.ClickException(f"{shell} is not known")
    click.echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
