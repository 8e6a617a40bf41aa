"""claude-max-api serve: check what can be checked, say it in a sentence, and become gunicorn."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import click

import app
from app import address, config_file
from app.claude.cli import login
from app.claude.cli.binary import LOGIN, Locator
from app.claude.shelf.processes import private_folder
from app.config import Settings
from app.config_reading import Reading, read_settings
from app.console.config_option import config_option
from app.console.misspelt import find_misspelt
from app.console.running_server import Server, port_option
from app.errors import CliFailed, ConfigError
from app.keys.file import KeyFile
from app.keys.keyring import Keyring
from app.storage import Storage, open_storage

# More would be a mistake: each has processes of its own that wait.
MAX_WORKERS = 64


@click.command()
@port_option
@config_option
@click.option("--host", help="Address to listen on; other machines reach it with 0.0.0.0, and then need API keys.")
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    default=1,
    show_default=True,
    help="Servers behind the one address, each with waiting processes of its own; one carries hundreds of streams.",
)
@click.option("--demo", is_flag=True, help="Answer with canned text: no login, no network, the real CLI.")
def serve(port: int | None, host: str | None, workers: int, *, demo: bool) -> None:
    """Serve the API, by default on localhost and port 3456."""
    environ = dict(os.environ)
    given = {"PORT": port, "HOST": host, "CLAUDE_PROXY_DEMO": demo or None}
    environ |= {name: str(int(value) if isinstance(value, bool) else value) for name, value in given.items() if value}
    try:
        settings = read_settings(environ)
        private_folder(settings.state_dir)
        storage = open_storage(settings)
        keys = Keyring(settings.api_keys, storage.keys, closed=storage.closed)
        check_database(settings, storage)
        check_port(settings)
        locator = Locator(settings)
        binary = locator.found()
        logged_in, told = _login(settings, binary.path)
        click.echo(f"claude {binary.version_text} at {binary.path}, {told}")
    except (ConfigError, CliFailed) as error:
        raise click.ClickException(str(error)) from None
    if (notice := locator.choice().put_aside) is not None:
        click.echo(f"Warning: {notice}", err=True)
    danger = config_file.danger(Reading.of(environ).file)
    for sentence in filter(None, (danger, *settings.agents.doubts, *find_misspelt(environ).values())):
        click.echo(f"Warning: {sentence}", err=True)
    url = Server(settings.host, settings.port).url
    also = "".join(f" (and {address.written(each, settings.port)})" for each in address.listened(settings.host)[1:])
    click.echo(f"Serving {url}/v1{also} - point any OpenAI client there; {_who_may_call(keys)}.")
    key = """ -H "Authorization: Bearer $KEY\"""" if keys.closed else ""
    if not logged_in:
        click.echo(f"First log in, in another terminal: `{LOGIN}`. The server need not be restarted for it.")
    elif keys or not keys.closed:
        click.echo(
            f"Try:\n  curl -N {url}/v1/chat/completions -H 'Content-Type: application/json'{key} "
            """-d '{"model": "claude-sonnet-4", "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'"""
        )
    click.echo(f"The status page is {url}/" + (", with a key as the password." if keys else "."))
    if settings.tools:
        who = ", ".join(settings.tools_for)
        click.echo(f"Claude Code's own tools ({', '.join(settings.tools)}) work on this machine for: {who}.")
    if settings.agents.agents:
        click.echo(f"Agents by name: {', '.join(settings.agents.agents)}.")
    if workers > 1:
        click.echo(
            f"{workers} workers answer there. Each has waiting processes and limits of its own, so a conversation may "
            "find no process that knows it; `claude-max-api docs hosts` says when one is better."
        )
    _become_gunicorn(settings, environ, workers)


def _login(settings: Settings, binary: Path) -> tuple[bool, str]:
    """Return whether a request may get an answer, as far as the login is concerned, and what to say of the login."""
    if settings.demo:
        return True, "for the demo: no login needed, answers are canned"
    try:
        logged_in, _ = login.ask(binary, settings.cli_environ)
    except CliFailed as error:
        return True, f"login unknown: {error}"
    # It serves all the same: a later login needs no restart.
    return logged_in, "logged in" if logged_in else "NOT logged in: requests get 401 until then"


def check_database(settings: Settings, storage: Storage) -> None:
    """Raise ConfigError, with the remedy, where the database cannot be what the settings take it for."""
    if storage.database is None:
        return
    if (away := storage.database.away) is not None:
        click.echo(
            f"Warning: the database {storage.database.where} is away: {away}. Sessions, responses and new API keys get "
            "a 503 until it is back.",
            err=True,
        )
    elif storage.keys.read() is None:
        left_behind = KeyFile(settings.state_dir)
        if left_behind.read() is not None:
            raise ConfigError(
                f"the API keys in {left_behind.where} do not count with CLAUDE_PROXY_DATABASE, and the database has "
                "none; `claude-max-api database copy` takes them over"
            )
        if not address.is_loopback(settings.host) and not settings.api_keys:
            raise ConfigError(
                f"HOST={settings.host} would let other machines use your login without a key, and the database has "
                "none; make one with `claude-max-api key add NAME`"
            )


def _who_may_call(keys: Keyring) -> str:
    if not keys.closed:
        return "any API key will do"
    if not keys:
        return "but no API key is left, so nobody can call it: `claude-max-api key add NAME` makes one"
    return f"with one of its {len(keys)} API keys as $KEY" if len(keys) > 1 else "with its API key as $KEY"


def check_port(settings: Settings) -> None:
    """Raise ConfigError, with the remedy, when the server could not listen where the settings say."""
    addresses = address.listened(settings.host)
    taken = _taken(addresses, settings.port)
    another = f"run `claude-max-api serve {settings.port + 1}`"
    if taken and taken != list(addresses):
        (free,) = set(addresses).difference(taken)
        raise ConfigError(
            f"port {settings.port} is taken on {taken[0]}, though not on {free}, and programs that call `localhost` "
            f"try either first; stop what listens there, {another}, or set HOST={free}"
        )
    if taken:
        raise ConfigError(
            f"port {settings.port} is taken, perhaps by a server already running; stop that one, or {another}"
        )
    if settings.ollama_port is not None and _taken(addresses, settings.ollama_port):
        raise ConfigError(
            f"{address.OLLAMA_PORT}={settings.ollama_port} is taken, perhaps by Ollama itself; stop that, name another "
            "port, or leave it out"
        )


def _taken(addresses: Iterable[str], port: int) -> list[str]:
    """Return at which addresses others listen on a port. Raises ConfigError where one may not."""
    taken = []
    for each in addresses:
        with socket.socket(address.family(each), socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((each, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise ConfigError(f"cannot listen on {address.written(each, port)}: {error.strerror}") from None
                taken.append(each)
    return taken


def _become_gunicorn(settings: Settings, environ: dict[str, str], workers: int) -> NoReturn:
    # Paths were given from here, and gunicorn runs from the folder of this package (with -P, no other): the caller's
    # folder may hold an `app` or a `wsgi.py` of its own.
    environ |= {name: str(path) for name, path in settings.paths().items() if environ.get(name, "").strip()}
    sys.stdout.flush()
    argv = gunicorn_command(workers)
    os.execve(argv[0], argv, environ)


def gunicorn_command(workers: int = 1) -> list[str]:
    """Return the command that serves, with the settings of its environment."""
    package = Path(app.__file__).parent
    config = str(package / "gunicorn_config.py")
    shared = ["--workers", str(workers)] if workers > 1 else []
    return [sys.executable, "-P", "-m", "gunicorn", "--chdir", str(package.parent), "-c", config, *shared, "wsgi:app"]
