"""claude-max-api serve: check what can be checked, say it in a sentence, and become gunicorn."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

import click

import app
from app import address
from app.claude.cli import login
from app.claude.cli.binary import Locator, command_line
from app.claude.shelf.supply import private_folder
from app.config import Settings
from app.console.misspelt import find_misspelt
from app.console.running_server import Server
from app.errors import CliFailed, ConfigError
from app.keys.file import KeyFile
from app.keys.keyring import Keyring


@click.command()
@click.argument("port", type=click.IntRange(1, 65535), required=False)
@click.option("--demo", is_flag=True, help="Answer with canned text: no login, no network, the real CLI.")
def serve(port: int | None, *, demo: bool) -> None:
    """Serve the API, by default on localhost and port 3456."""
    environ = dict(os.environ)
    if port is not None:
        environ["PORT"] = str(port)
    if demo:
        environ["CLAUDE_PROXY_DEMO"] = "1"
    try:
        settings = Settings.from_environ(environ)
        private_folder(settings.state_dir)
        keys = Keyring(settings.api_keys, KeyFile(settings.state_dir))
        check_port(settings)
        locator = Locator(settings)
        binary = locator.found()
        click.echo(f"claude {binary.version_text} at {binary.path}, {_login_sentence(settings, binary.path)}")
    except (ConfigError, CliFailed) as error:
        raise click.ClickException(str(error)) from None
    if (notice := locator.choice().put_aside) is not None:
        click.echo(f"Warning: {notice}", err=True)
    for sentence in find_misspelt(environ).values():
        click.echo(f"Warning: {sentence}", err=True)
    url = Server(settings.host, settings.port).url
    also = "".join(f" (and {address.written(each, settings.port)})" for each in address.listened(settings.host)[1:])
    will_do = f"with one of its {len(keys)} API keys as $KEY" if keys.closed else "any API key will do"
    key = """ -H "Authorization: Bearer $KEY\"""" if keys.closed else ""
    click.echo(f"Serving {url}/v1{also} - point any OpenAI client there; {will_do}. Try:")
    click.echo(
        f"  curl -N {url}/v1/chat/completions -H 'Content-Type: application/json'{key} "
        """-d '{"model": "claude-sonnet-4", "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'"""
    )
    click.echo(f"The status page is {url}/" + (", with a key as the password." if keys.closed else ""))
    if settings.tools:
        who = ", ".join(settings.tools_for)
        click.echo(f"Claude Code's own tools ({', '.join(settings.tools)}) work on this machine for: {who}.")
    _become_gunicorn(settings, environ)


def _login_sentence(settings: Settings, binary: Path) -> str:
    if settings.demo:
        return "demo: no login needed, answers are canned"
    try:
        logged_in, _ = login.ask(binary, settings.cli_environ)
    except CliFailed as error:
        return f"login unknown: {error}"
    # It serves all the same: a later login needs no restart.
    if logged_in:
        return "logged in"
    command = command_line(binary, settings.cli_environ, "auth login")
    return f"NOT logged in: run `{command}`; requests get 401 until then"


def check_port(settings: Settings) -> None:
    """Raise ConfigError, with the remedy, when the server could not listen where the settings say."""
    addresses = address.listened(settings.host)
    taken = []
    for each in addresses:
        with socket.socket(address.family(each), socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((each, settings.port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    where = address.written(each, settings.port)
                    raise ConfigError(f"cannot listen on {where}: {error.strerror}") from None
                taken.append(each)
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


def _become_gunicorn(settings: Settings, environ: dict[str, str]) -> NoReturn:
    # Paths were given from here, and gunicorn runs from the folder of this package (with -P, no other): the caller's
    # folder may hold an `app` or a `wsgi.py` of its own.
    environ["CLAUDE_PROXY_STATE_DIR"] = str(settings.state_dir)
    if settings.claude_bin is not None:
        environ["CLAUDE_BIN"] = str(settings.claude_bin)
    sys.stdout.flush()
    argv = gunicorn_command()
    os.execve(argv[0], argv, environ)


def gunicorn_command() -> list[str]:
    """Return the command that serves, with the settings of its environment."""
    package = Path(app.__file__).parent
    config = str(package / "gunicorn_config.py")
    return [sys.executable, "-P", "-m", "gunicorn", "--chdir", str(package.parent), "-c", config, "wsgi:app"]
