"""claude-max-api config: print what a client needs to use this server, ready to paste."""

from __future__ import annotations

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
from app.models import STABLE_IDS

PATIENCE = 1.0  # seconds
LARGEST_LIST = 2**20  # bytes
# Whatever answers at that address, its names must not be able to break out of the text they are put into.
MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/\[\]-]*")
BASE_URL = re.compile(r"https?://[A-Za-z0-9._~:/\[\]-]+")
KEY = re.compile(r"[!-~]+")  # printable ASCII, as an HTTP header takes it


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


def _checked_key(_: click.Context, __: click.Parameter, key: str) -> str:
    if not KEY.fullmatch(key):
        raise click.BadParameter("printable characters without spaces")
    return key


@click.command()
@click.argument("client", type=click.Choice(list(CLIENTS)))
@click.option("--url", callback=_checked_url, help="Address of the server; by default from HOST and PORT.")
@click.option(
    "--key",
    envvar="CLAUDE_PROXY_API_KEY",
    default="not-needed",
    show_default=True,
    callback=_checked_key,
    help="API key for the client; also from CLAUDE_PROXY_API_KEY.",
)
@pass_machine
def config(machine: Machine, client: str, url: str | None, key: str) -> None:
    """Print the configuration of a CLIENT for this server."""
    base_url = url or _own_url(read(machine, None))
    try:
        models = ask_for_models(base_url, key)
    except KeyRefused:
        raise click.ClickException(
            f"The server at {base_url} asks for an API key, and {key!r} is none of them: give --key, or set "
            "CLAUDE_PROXY_API_KEY (`claude-max-api key add NAME` makes one)."
        ) from None
    if not models:
        click.echo(f"No server answers at {base_url}: only the names that always work are listed.", err=True)
        models = tuple(Model(name) for name in STABLE_IDS)
    click.echo(CLIENTS[client](Access(base_url, key, models)), nl=False)


def ask_for_models(base_url: str, key: str) -> tuple[Model, ...]:
    """Return the catalogue of the server at `base_url`, or nothing if it gives none within a second.

    Raises KeyRefused when it answers 401.
    """
    request = urllib.request.Request(f"{base_url}/models", headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - BASE_URL allows http and https only
    # A proxy in the environment is for the outside world.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=PATIENCE) as response:
            listed = msgspec.json.decode(response.read(LARGEST_LIST), type=Listed)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.UNAUTHORIZED:
            raise KeyRefused from None
        return ()
    except (OSError, ValueError, http.client.HTTPException):
        return ()
    return tuple(model for model in listed.data if MODEL_ID.fullmatch(model.id))


def _own_url(settings: Settings) -> str:
    return f"{Server(settings.host, settings.port).url}/v1"
