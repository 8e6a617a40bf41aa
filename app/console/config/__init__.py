"""claude-max-api config: the configuration file of the server, and the configurations of its clients."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from app.client_configs import CLIENTS
from app.console.config import balancer
from app.console.config.client import client_config
from app.console.config.file import check, init, show
from app.deployments import DEPLOYMENTS


class Config(click.Group):
    """Commands for the file; whatever else comes is about a client."""

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant, and what is left for it."""
        if args[0] in self.commands:
            return super().resolve_command(context, args)
        return None, client_config, args

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and the clients that begin so."""
        named = [CompletionItem(name) for name in (*CLIENTS, *DEPLOYMENTS) if name.startswith(incomplete)]
        return [*super().shell_complete(context, incomplete), *named]

    def collect_usage_pieces(self, context: click.Context) -> list[str]:
        """Say that there are two kinds of argument."""
        del context
        return ["CLIENT | COMMAND", "[OPTIONS]"]


@click.group(
    cls=Config,
    # A client's options may stand before it.
    context_settings={"ignore_unknown_options": True},
    epilog=f"CLIENT is one of {', '.join(CLIENTS)}; or {' or '.join(DEPLOYMENTS)}. `config CLIENT --help` says more.",
)
def config(**_: Any) -> None:
    """Print a CLIENT's configuration, or see to the server's own.

    A CLIENT's is what it needs to use this server. The server's own is a file of settings. `haproxy` and `nginx` stand
    in front of several servers.
    """


for command in (init, check, show, *balancer.commands):
    config.add_command(command)
