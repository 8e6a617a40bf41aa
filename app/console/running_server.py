"""A running server, asked over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import click

from app import address
from app.config import Settings

PROVIDER = "claude-code-cli"
# /ready may ask the CLI for its version and login first, which takes up to a second on a busy machine.
TIMEOUT_SECONDS = 30.0
# /health answers at once; another program may never do.
HEALTH_TIMEOUT_SECONDS = 3.0
PORT = click.IntRange(1, 65535)
# Where the option's port waits for the argument.
NOTED = f"{__name__}.port"


class NoAnswer(Exception):
    """Nothing that speaks HTTP and JSON answers there; the text is a sentence."""


class KeyWanted(NoAnswer):
    """This server answers there, and wants a key, or another one."""


class ServerAnswer(NamedTuple):
    """The HTTP status and the decoded JSON of an answer."""

    status: int
    body: Any


class Server:
    """A server at `host` and `port`; `key` is sent as a bearer token where there is one."""

    def __init__(self, host: str, port: int, key: str | None = None) -> None:
        self._host, self._port, self._key = address.reachable(host), port, key

    @property
    def url(self) -> str:
        """The address as one writes it, without a path."""
        return f"http://{address.written(self._host, self._port)}"

    def get(self, path: str, timeout: float = TIMEOUT_SECONDS) -> ServerAnswer:
        """Return the answer to GET `path`, waiting at most `timeout` seconds for each piece. Raises NoAnswer."""
        with self.request("GET", path, timeout=timeout) as response:
            return ServerAnswer(response.status, json.loads(response.read()))

    @contextlib.contextmanager
    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Iterator[http.client.HTTPResponse]:
        """Yield the response to a request, waiting at most `timeout` seconds for each piece of it.

        Raises NoAnswer, also where what is read in the block is no HTTP or no JSON.
        """
        # Not urllib: that would go through the proxy which the environment may name.
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        key = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            connection.request(method, path, body, {**(headers or {}), **key})
            with contextlib.closing(connection.getresponse()) as response:
                yield response
        except ConnectionRefusedError:
            raise NoAnswer(f"Nothing answers at {self.url}.") from None
        except TimeoutError:
            raise NoAnswer(f"{self.url} has been silent for {timeout:.0f} s.") from None
        except OSError as error:
            raise NoAnswer(f"{self.url} gives no answer: {error.strerror or error}.") from None
        except (http.client.HTTPException, ValueError):
            raise NoAnswer(f"What answers at {self.url} is not this server.") from None
        finally:
            connection.close()

    def is_ours(self, timeout: float | None = None) -> bool:
        """Tell whether this server answers there, within `timeout` seconds, and not another program or none."""
        try:
            return _is_ours(self.get("/health", timeout or HEALTH_TIMEOUT_SECONDS).body)
        except NoAnswer:
            return False

    def fetch(self, path: str) -> ServerAnswer:
        """Return the answer to GET `path` from a server that is this program.

        Raises NoAnswer, also where another program answers, where nothing does within HEALTH_TIMEOUT_SECONDS, or where
        the server wants another key.
        """
        if not _is_ours(self.get("/health", HEALTH_TIMEOUT_SECONDS).body):
            raise NoAnswer(f"What answers at {self.url} is not this server.")
        answer = self.get(path)
        if answer.status == http.client.UNAUTHORIZED:
            wrong = "refuses this key" if self._key else "asks for a key"
            raise KeyWanted(f"The server at {self.url} {wrong}: set CLAUDE_PROXY_API_KEY, or give --key.")
        if not isinstance(answer.body, dict):
            raise NoAnswer(f"The server at {self.url} answers {path} in a form this version does not know.")
        return answer


def _is_ours(health: Any) -> bool:
    return isinstance(health, dict) and health.get("provider") == PROVIDER


def _note_port(context: click.Context, _: click.Parameter, port: int | None) -> None:
    context.meta[NOTED] = port


def _one_port(context: click.Context, _: click.Parameter, port: int | None) -> int | None:
    noted: int | None = context.meta.get(NOTED)
    if port is not None and noted not in {None, port}:
        raise click.BadParameter(f"two ports are given, {port} and {noted}")
    return noted if port is None else port


def port_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its `port`, by option or, as is short, by argument."""
    argument = click.argument("port", type=PORT, required=False, callback=_one_port)
    option = click.option(
        "-p",
        "--port",
        "noted",
        type=PORT,
        metavar="PORT",
        is_eager=True,  # before the argument, which knows of it then
        expose_value=False,
        callback=_note_port,
        help="Port of the server; PORT alone will do, too.",
    )
    return argument(option(command))


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which server is meant."""
    key = click.option(
        "--key",
        envvar="CLAUDE_PROXY_API_KEY",
        help="The key, where the server asks for one; better in CLAUDE_PROXY_API_KEY, where `ps` does not show it.",
    )
    return port_option(key(command))


def reach(settings: Settings, port: int | None, key: str | None) -> Server:
    """Return the server at `port`, or at the settings' port where none is given."""
    return Server(settings.host, port or settings.port, key)
