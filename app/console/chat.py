"""claude-max-api chat: a conversation on the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from app.console import talk
from app.console.machine import Machine, pass_machine
from app.console.running_server import PORT, NoAnswer
from app.console.talk import Refused, Talk

HELP = "/model NAME asks another model, /new begins anew, /quit or Ctrl-D ends; Ctrl-C stops an answer."
# How often an answer on its way is drawn anew, a second.
REDRAWS = 8


@click.command()
@click.option("-m", "--model", default="default", help="Model, such as sonnet; by default the server's.")
@click.option("-p", "--port", type=PORT, metavar="PORT", help="Port of the server.")
@click.option("--key", envvar="CLAUDE_PROXY_API_KEY", help="The key, where the server asks for one.")
@pass_machine
def chat(machine: Machine, model: str, port: int | None, key: str | None) -> None:
    """Talk with Claude on the terminal.

    Where no server runs, one is started for as long as you talk.
    """
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401, PLC0415 - its import is what gives `input` a history
    with talk.find_or_start_server(machine, port, key) as server:
        click.echo(HELP, err=True)
        Chat(Talk(server), model, Console()).run()


class Chat:
    """A conversation; an answer that fails or is stopped leaves it as it was."""

    def __init__(self, talk: Talk, model: str, console: Console) -> None:
        self._talk = talk
        self._model = model
        self._console = console
        self._messages: list[dict[str, Any]] = []

    def run(self) -> None:
        """Ask and answer until the input ends."""
        for line in _lines():
            word, _, rest = line.partition(" ")
            if word in {"/quit", "/exit"}:
                return
            if word == "/new":
                self._messages = []
            elif word == "/model" and rest.strip():
                self._model = rest.strip()
            elif word in {"/model", "/help"}:
                click.echo(f"model {self._model}. {HELP}", err=True)
            elif line.strip():
                self._ask(line)

    def _ask(self, text: str) -> None:
        asked = [*self._messages, {"role": "user", "content": text}]
        try:
            answer = self._show(self._talk.stream({"model": self._model, "messages": asked}))
        except KeyboardInterrupt:
            click.echo("\n(stopped)", err=True)
        except (Refused, NoAnswer) as error:
            click.secho(str(error), fg="red", err=True)
        else:
            self._messages = [*asked, {"role": "assistant", "content": answer}]

    def _show(self, pieces: Iterator[str]) -> str:
        text = ""
        if not self._console.is_terminal:
            for piece in pieces:
                click.echo(piece, nl=False)
                text += piece
            click.echo()
            return text
        with Live(
            console=self._console, auto_refresh=False, vertical_overflow="visible", refresh_per_second=REDRAWS
        ) as live:
            for piece in pieces:
                text += piece
                live.update(Markdown(text), refresh=True)
        return text


def _lines() -> Iterator[str]:
    while True:
        try:
            yield input("> ")
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo()
