"""Conversations from the console: with the running server, or with one that is started for as long as it takes."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import mimetypes
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from app.config import Settings
from app.console.machine import Machine
from app.console.running_server import NoAnswer, Server, reach
from app.console.serve import gunicorn_command
from app.console.settings import read

# An answer may take as long as the server lets it; between two pieces there are heartbeats.
SILENCE_SECONDS = 120.0
START_SECONDS = 20.0
STOP_SECONDS = 10.0
PAUSE_SECONDS = 0.05
CHAT = "/v1/chat/completions"
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class Refused(Exception):
    """The server answered with an error, or broke off; the text is its sentence."""


class Talk:
    """Asks a server; `session` names a conversation that the server remembers."""

    def __init__(self, server: Server, session: str | None = None) -> None:
        self._server = server
        self._session = session

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a whole completion. Raises Refused or NoAnswer."""
        with self._answer(body) as response:
            completion: dict[str, Any] = _decoded(response.read())
        return completion

    def stream(self, body: dict[str, Any]) -> Iterator[str]:
        """Yield the pieces of the answer's text as they come. Raises Refused or NoAnswer."""
        with self._answer({**body, "stream": True}) as response:
            for line in response:
                data = line.removeprefix(b"data: ").strip()
                if data == b"[DONE]":
                    return
                if not data or data == line.strip():
                    continue
                chunk = _decoded(data)
                if "error" in chunk:
                    raise Refused(_sentence(chunk))
                for choice in chunk.get("choices") or ():
                    if text := choice["delta"].get("content"):
                        yield text
        raise Refused("The answer broke off; ask again.")

    @contextlib.contextmanager
    def _answer(self, body: dict[str, Any]) -> Iterator[http.client.HTTPResponse]:
        headers = {"Content-Type": "application/json"}
        if self._session is not None:
            headers["X-Session-Id"] = self._session
        with self._server.request("POST", CHAT, json.dumps(body).encode(), headers, SILENCE_SECONDS) as response:
            if response.status != http.client.OK:
                raise Refused(_sentence(_decoded(response.read())))
            yield response


@contextlib.contextmanager
def find_or_start_server(machine: Machine, port: int | None, key: str | None) -> Iterator[Server]:
    """Yield the running server, or where none runs one that ends with the block. Raises ClickException."""
    settings = read(machine, port)
    running = reach(settings, port, key)
    if running.is_ours():
        yield running
        return
    if port is not None:
        raise click.ClickException(f"No server of this program answers at {running.url}.")
    with _started(settings, dict(machine.environ)) as server:
        yield server


@contextlib.contextmanager
def _started(settings: Settings, environ: dict[str, str]) -> Iterator[Server]:
    # A key of its own: nobody else on this machine needs it, whether or not there are others.
    key = secrets.token_urlsafe(32)
    port = _free_port()
    environ |= {"HOST": "127.0.0.1", "PORT": str(port), "CLAUDE_PROXY_API_KEYS": f"console:{key}", "LOG_LEVEL": "ERROR"}
    environ["CLAUDE_PROXY_STATE_DIR"] = str(settings.state_dir)
    server = Server("127.0.0.1", port, key)
    child = subprocess.Popen(
        gunicorn_command(), env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.is_ours(1.0):
            if child.poll() is not None or time.monotonic() > deadline:
                child.kill()
                said = (child.stdout.read() if child.stdout else b"").decode(errors="replace").strip()
                raise click.ClickException(f"No server runs, and none could be started.\n{said[-1000:]}")
            time.sleep(PAUSE_SECONDS)
        yield server
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=STOP_SECONDS)
        child.kill()
        child.wait()


def content(text: str, files: tuple[Path, ...]) -> Any:
    """Return a message's content: the text, behind the files where there are any. Raises ClickException."""
    if not files:
        return text
    return [*map(_part, files), *([{"type": "text", "text": text}] if text else [])]


def _part(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from None
    kind = mimetypes.guess_type(path.name)[0] or "text/plain"
    url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    if kind in PICTURES:
        return {"type": "image_url", "image_url": {"url": url}}
    if kind != "application/pdf":
        url = f"data:text/plain;base64,{base64.b64encode(data).decode()}"  # the server says so where it is none
    return {"type": "file", "file": {"filename": path.name, "file_data": url}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except ValueError:
        raise NoAnswer("The server's answer is not JSON.") from None
    return answer if isinstance(answer, dict) else {}


def _sentence(answer: dict[str, Any]) -> str:
    error = answer.get("error")
    return str(error.get("message") if isinstance(error, dict) else error)
