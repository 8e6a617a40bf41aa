"""All hosts that share a database, as that knows them, for people and for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import click

from app import hosts
from app.backend import WINDOW_WORDS
from app.config import Settings
from app.errors import ConfigError, DatabaseFailed
from app.hosts import Seen
from app.moments import local
from app.storage import open_storage


def seen_lately(settings: Settings) -> tuple[Seen, ...]:
    """Return the hosts that were seen within a day. Raises ConfigError without a database, or where it is away."""
    storage = open_storage(settings)
    if storage.database is None:
        raise ConfigError("without CLAUDE_PROXY_DATABASE each host knows only itself")
    try:
        return storage.database.do(hosts.look)
    except DatabaseFailed as error:
        raise ConfigError(str(error)) from None
    finally:
        storage.close()


def show(settings: Settings, *, as_json: bool) -> bool:
    """Print all hosts; tell whether any is ready. Raises ClickException, or UsageError without a database."""
    if not settings.database:
        raise click.UsageError("--all needs CLAUDE_PROXY_DATABASE: without a database each host knows only itself.")
    try:
        seen = seen_lately(settings)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps([one.told() for one in seen], indent=2))
    elif not seen:
        click.echo("No host has been seen within a day.", err=True)
    else:
        for line in lines(seen):
            click.echo(line)
    return any(one.state == "ready" for one in seen)


def lines(seen: tuple[Seen, ...]) -> Iterator[str]:
    """Yield a block of lines for each host."""
    for name, one in hosts.named(seen):
        yield f"{name}  {_state(one)}"
        for word, text in _facts(one):
            yield f"  {word:8} {text}"


def _state(one: Seen) -> str:
    if one.gone:
        return f"{one.state}, last seen {local(one.at)}"
    return one.state if one.host.reason is None else f"NOT ready: {one.host.reason}"


def _facts(one: Seen) -> Iterator[tuple[str, str]]:
    host = one.host
    yield "version", f"{host.version}, claude {host.cli or 'not found'}"
    if not one.gone:
        yield "turns", f"{host.running} running, {host.queued} waiting; {host.shelf} processes on the shelf"
        yield "since", local(host.since)
    if host.windows or host.plan:
        windows = [
            f"{WINDOW_WORDS.get(name, name.replace('_', ' '))} {window.used_percent:.0f} % used"
            + ("" if window.resets_at is None else f" until {local(window.resets_at)}")
            for name, window in sorted(host.windows.items())
            if window.used_percent is not None and (window.resets_at is None or window.resets_at > time.time())
        ]
        yield "plan", ", ".join([*([host.plan] if host.plan else []), *windows])
    yield "login", host.login or "not known"
