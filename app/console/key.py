"""claude-max-api key: make, list and end the API keys of the server. A running server notices by itself."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import click
import msgspec

from app.agents.table import FAMILIES, MODEL
from app.claude.shelf.processes import private_folder
from app.config import Settings
from app.config_reading import read_settings
from app.console.key_terms import budgets_left, changes, described, terms_options
from app.console.misspelt import suggested
from app.console.own_login import own_login
from app.errors import ConfigError, DatabaseFailed, StorageUnavailable
from app.keys.store import KeyStore
from app.keys.terms import THIS_LOGIN, Terms
from app.storage import open_storage


@click.group()
def key() -> None:
    """Make, list and end API keys."""


@key.command()
@click.argument("name")
@terms_options(removing=False)
def add(name: str, **given: Any) -> None:
    """Make a key called NAME and print it, once.

    The server keeps its digest only. The options say what it may use; days and weeks are those of this machine's
    calendar.
    """
    try:
        settings = read_settings(fit=False)
        store = _store(settings)
        first = store.read() is None
        secret = store.add(name, Terms(**_changed(settings, given)))
    except (ConfigError, StorageUnavailable) as error:
        raise click.ClickException(str(error)) from None
    # The key alone on standard output: KEY=$(claude-max-api key add laptop).
    click.echo(secret)
    click.echo(f"This is the key {name!r}. It is not shown again.", err=True)
    _doubt(settings, given)
    if first:
        click.echo("From now on every request needs a key, except GET /health.", err=True)


def _complete_name(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    with contextlib.suppress(ConfigError, StorageUnavailable):
        return [one.name for one in _store(read_settings(fit=False)).read() or () if one.name.startswith(begun)]
    return []


@key.command("set")
@click.argument("name", shell_complete=_complete_name)
@terms_options(removing=True)
def set_terms(name: str, **given: Any) -> None:
    """Change what the key called NAME may use; what is not named stays. A running server notices by itself."""
    if not changes(given):
        raise click.UsageError("Say what to change, such as --tokens-per-day 2M or --no-models.")
    try:
        settings = read_settings(fit=False)
        terms = _store(settings).change(name, _changed(settings, given))
    except (ConfigError, StorageUnavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{name}: {'; '.join(described(terms)) or 'no bounds'}", err=True)
    _doubt(settings, given)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of names and where each is from.")
def list_keys(*, as_json: bool) -> None:
    """Print each key, what it may use and what is left of that."""
    try:
        settings = read_settings(fit=False)
        store = _store(settings)
        kept = store.read()
    except (ConfigError, StorageUnavailable) as error:
        raise click.ClickException(str(error)) from None
    try:
        left = budgets_left(settings, kept or ())
    except DatabaseFailed as error:
        left = {}
        click.echo(f"What is left of the budgets is not known: {error}", err=True)
    if as_json:
        told: list[dict[str, Any]] = [{"name": one.name, "from": "CLAUDE_PROXY_API_KEYS"} for one in settings.api_keys]
        told += [
            {
                "name": one.name,
                "from": store.where,
                "created": one.created or "",
                "terms": msgspec.to_builtins(one.terms),
                "left": [msgspec.to_builtins(budget._asdict()) for budget in left.get(one.name, ())],
            }
            for one in kept or ()
        ]
        click.echo(json.dumps(told, indent=2))
        return
    for one in settings.api_keys:
        click.echo(f"{one.name}\tfrom CLAUDE_PROXY_API_KEYS")
    for one in kept or ():
        said = "; ".join(described(one.terms, left.get(one.name, ())))
        click.echo("\t".join(filter(None, (one.name, f"made {one.created}", said))))
    if not settings.api_keys and not kept:
        click.echo(_without_keys(store) if kept is not None else "No keys: the server asks for none.", err=True)


@key.command()
@click.argument("name", shell_complete=_complete_name)
def revoke(name: str) -> None:
    """End the key called NAME, at once."""
    try:
        settings = read_settings(fit=False)
        store = _store(settings)
        left = store.revoke(name)
    except (ConfigError, StorageUnavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"The key {name!r} is no longer accepted.", err=True)
    if not left and not settings.api_keys:
        click.echo(_without_keys(store), err=True)


def _changed(settings: Settings, given: dict[str, Any]) -> dict[str, Any]:
    """Return the terms that a command's options change. Raises ConfigError where this machine's login is not known."""
    changed = changes(given)
    if changed.get("login") == THIS_LOGIN:
        changed["login"] = own_login(settings)
    return changed


def _doubt(settings: Settings, given: dict[str, Any]) -> None:
    """Say which names of models mean nothing here."""
    agents = settings.agents.agents
    for name in given["models"] or ():
        if name not in agents and not MODEL.fullmatch(name):
            meant = suggested(name, (*FAMILIES, *agents))
            click.echo(f"No model and no agent is called {name}{meant}: requests for it are refused.", err=True)


def _store(settings: Settings) -> KeyStore:
    private_folder(settings.state_dir)
    return open_storage(settings).keys


def _without_keys(store: KeyStore) -> str:
    anew = f"; to ask for no keys at all, remove {store.where} and restart the server" if store.file else ""
    return f"No key is left, so the server lets nobody in. `claude-max-api key add NAME` makes one{anew}."
