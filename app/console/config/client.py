"""claude-max-api config CLIENT: print what a client needs to use this server, ready to paste."""

from __future__ import annotations

import difflib
import http.client
import re
import urllib.error
import urllib.request

import click
import msgspec

from app.client_configs import CLIENTS, Access, Model
from app.config import Settings
from app.console.machine import Machine, pass_machine
from app.console.running_server import Server
from app.console.settings import read
from app.deployments import DEPLOYMENTS
from app.errors import ConfigError
from app.models import STABLE_IDS, spoken
from app.storage import open_storage

TIMEOUT_SECONDS = 1.0
MAX_LIST_BYTES = 2**20
# Whatever answers at that address, its names must not be able to break out of the text they are put into.
MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/\[\]-]*")
BASE_URL = re.compile(r"https?://[A-Za-z0-9._~:/\[\]-]+")
KEY = re.compile(r"[!-~]+")  # printable ASCII, as an HTTP header takes it

# What a client sends where no key is asked for, since most want to send one; and what holds the place of one.
NO_KEY = "not-needed"
KEY_PLACE = "YOUR-KEY"


class KeyRefused(Exception):
    """The server wants a key, or another one."""


class Listed(msgspec.Struct):
    """The answer of GET /v1/models."""

    data: list[Model]


def _checked_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    if url is None:
        return None
    if not BASE_URL.fullmatch(url):
        raise click.BadParameter("an address such as http://127.0.0.1:3456/v1")
    base = url.rstrip("/")
    return base if base.endswith("/v1") else f"{base}/v1"


def _checked_key(_: click.Context, __: click.Parameter, key: str | None) -> str | None:
    if key is not None and not KEY.fullmatch(key):
        raise click.BadParameter("printable characters without spaces")
    return key


class Client(click.Choice[str]):
    """A client, or a container; a name that is nearly one is answered with the one that was meant."""

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        """Return the name. Raises BadParameter."""
        if value not in self.choices and (near := difflib.get_close_matches(value.lower(), self.choices, 1)):
            self.fail(f"{value!r} is none of the clients; did you mean {near[0]}?", param, context)
        return super().convert(value, param, context)


@click.command("config", epilog=f"CLIENT is one of {', '.join(CLIENTS)}; or {' or '.join(DEPLOYMENTS)}.")
@click.argument("client", metavar="CLIENT", type=Client([*CLIENTS, *DEPLOYMENTS]))
@click.option("--url", callback=_checked_url, help="Address of the server; by default from HOST and PORT.")
@click.option(
    "--key",
    envvar="CLAUDE_PROXY_API_KEY",
    callback=_checked_key,
    help="API key for the client; also from CLAUDE_PROXY_API_KEY.",
)
@pass_machine
def client_config(machine: Machine, client: str, url: str | None, key: str | None) -> None:
    """Print the configuration of a CLIENT for this server.

    `container` is a Dockerfile, and `compose` a compose file with Open WebUI in front. The text is on standard output;
    where it goes, and what to know of it, on standard error.
    """
    if client in DEPLOYMENTS:
        file, text = DEPLOYMENTS[client]
        click.echo(f"For {file}; `claude-max-api docs containers` is the guide.", err=True)
        click.echo(text, nl=False)
        return
    base_url = url or _own_url(read(machine, None))
    try:
        models = ask_for_models(base_url, key or NO_KEY)
    except KeyRefused:
        told = "and this one is none of them" if key else "and none is given"
        raise click.ClickException(
            f"The server at {base_url} asks for an API key, {told}: give --key, or set CLAUDE_PROXY_API_KEY "
            "(`claude-max-api key add NAME` makes one)."
        ) from None
    notes = []
    if not models:
        notes.append(f"No server answers at {base_url}: only the names that always work are listed.")
        models = tuple(Model(name, spoken(name)) for name in STABLE_IDS)
        if key is None and url is None and _wants_key(read(machine, None)):
            key = KEY_PLACE
            notes.append(f"Put an API key in place of {KEY_PLACE}; `claude-max-api key add NAME` makes one.")
    made = CLIENTS[client](Access(base_url, key or NO_KEY, models))
    for note in (f"For {made.file}", *made.notes, *notes):
        click.echo(note, err=True)
    click.echo(made.text, nl=False)


def ask_for_models(base_url: str, key: str) -> tuple[Model, ...]:
    """Return the catalogue of the server at `base_url`, or nothing if it gives none within a second.

    Raises KeyRefused when it answers 401.
    """
    request = urllib.request.Request(f"{base_url}/models", headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - BASE_URL allows http and https only
    # A proxy in the environment is for the outside world.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            listed = msgspec.json.decode(response.read(MAX_LIST_BYTES), type=Listed)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.UNAUTHORIZED:
            raise KeyRefused from None
        return ()
    except (OSError, ValueError, http.client.HTTPException):
        return ()
    return tuple(model for model in listed.data if MODEL_ID.fullmatch(model.id))


def _wants_key(settings: Settings) -> bool:
    """Tell whether a server with these settings will ask for a key."""
    try:
        return bool(settings.api_keys or settings.database) or open_storage(settings).keys.read() is not None
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def _own_url(settings: Settings) -> str:
    return f"{Server(settings.host, settings.port).url}/v1"
