"""claude-max-api docs: the documents of this version."""

from __future__ import annotations

import click

from app import documentation


@click.command()
@click.argument("topic", metavar="[TOPIC]", required=False, type=click.Choice(list(documentation.topics())))
def docs(topic: str | None) -> None:
    """Print a document, or without TOPIC the list of them.

    The server shows them at /docs.
    """
    if topic is None:
        topics = documentation.topics()
        width = max(map(len, topics))
        for name, title in topics.items():
            click.echo(f"{name:{width}}  {title}")
        return
    click.echo_via_pager(documentation.read(topic))
