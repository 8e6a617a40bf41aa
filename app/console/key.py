"""claude-max-api key: make, list and end the API keys of the file. A running server notices by itself."""

from __future__ import annotations

import contextlib
import json
import os

import click

from app.claude.shelf.supply import private_folder
from app.config import Settings
from app.errors import ConfigError
from app.keys.file import KeyFile


@click.group()
def key() -> None:
    """Make, list and end API keys."""


@key.command()
@click.argument("name")
def add(name: str) -> None:
    """Make a key called NAME and print it, once.

    The server keeps its digest only.
    """
    try:
        file = _file(_settings())
        first = file.read() is None
        secret = file.add(name)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    # The key alone on standard output: KEY=$(claude-max-api key add laptop).
    click.echo(secret)
    click.echo(f"This is the key {name!r}. It is not shown again.", err=True)
    if first:
        click.echo("From now on every request needs a key, except GET /health.", err=True)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of names and where each is from.")
def list_keys(*, as_json: bool) -> None:
    """Print the names of the keys, with where or when each was made."""
    try:
        settings = _settings()
        file = _file(settings)
        kept = file.read()
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        told = [{"name": one.name, "from": "CLAUDE_PROXY_API_KEYS"} for one in settings.api_keys]
        told += [{"name": one.name, "from": str(file.path), "created": one.created or ""} for one in kept or ()]
        click.echo(json.dumps(told, indent=2))
        return
    for one in settings.api_keys:
        click.echo(f"{one.name}\tfrom CLAUDE_PROXY_API_KEYS")
    for one in kept or ():
        click.echo(f"{one.name}\tmade {one.created}")
    if not settings.api_keys and not kept:
        click.echo(_without_keys(file) if kept is not None else "No keys: the server asks for none.", err=True)


def _complete_name(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    with contextlib.suppress(ConfigError):
        return [one.name for one in _file(_settings()).read() or () if one.name.startswith(begun)]
    return []


@key.command()
@click.argument("name", shell_complete=_complete_name)
def revoke(name: str) -> None:
    """End the key called NAME, at once."""
    try:
        settings = _settings()
        file = _file(settings)
        left = file.revoke(name)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"The key {name!r} is no longer accepted.", err=True)
    if not left and not settings.api_keys:
        click.echo(_without_keys(file), err=True)


def _settings() -> Settings:
    # Another HOST, or tools for a key that is to be made, may be waiting for this very key.
    return Settings.from_environ({**os.environ, "HOST": "127.0.0.1", "CLAUDE_PROXY_TOOLS": "none"})


def _file(settings: Settings) -> KeyFile:
    private_folder(settings.state_dir)
    return KeyFile(settings.state_dir)


def _without_keys(file: KeyFile) -> str:
    return (
        "No key is left, so the server lets nobody in. `claude-max-api key add NAME` makes one; "
        f"to ask for no keys at all, remove {file.path} and restart the server."
    )
