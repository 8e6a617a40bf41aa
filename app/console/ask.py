"""claude-max-api ask: one question, one answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from app.console import talk
from app.console.machine import Machine, pass_machine
from app.console.running_server import PORT, NoAnswer
from app.console.talk import Refused, Talk


@click.command()
@click.argument("words", nargs=-1)
@click.option("-m", "--model", default="default", help="Model, such as sonnet; by default the server's.")
@click.option("-s", "--session", help="Go on with the conversation of this name, which the server remembers.")
@click.option(
    "-f", "--file", "files", multiple=True, type=click.Path(path_type=Path), help="A picture, PDF or text to ask about."
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole completion as JSON.")
@click.option("-p", "--port", type=PORT, metavar="PORT", help="Port of the server.")
@click.option("--key", envvar="CLAUDE_PROXY_API_KEY", help="The key, where the server asks for one.")
@pass_machine
def ask(
    machine: Machine,
    *,
    words: tuple[str, ...],
    model: str,
    session: str | None,
    files: tuple[Path, ...],
    port: int | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Ask a question and print the answer as it comes.

    The question is in WORDS, on standard input, or in both. Where no server runs, one is started for the answer.
    """
    text = " ".join(words)
    if not sys.stdin.isatty() and (piped := sys.stdin.read().strip()):
        text = f"{text}\n\n{piped}" if text else piped
    if not text and not files:
        raise click.UsageError("there is nothing to ask; try `claude-max-api ask Hello`")
    body = {"model": model, "messages": [{"role": "user", "content": talk.content(text, files)}]}
    with talk.find_or_start_server(machine, port, key) as server:
        try:
            _print(Talk(server, session), body, as_json=as_json)
        except (Refused, NoAnswer) as error:
            raise click.ClickException(str(error)) from None


def _print(talk: Talk, body: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(talk.ask(body), indent=2, ensure_ascii=False))
        return
    last = ""
    for piece in talk.stream(body):
        click.echo(piece, nl=False)
        last = piece
    if not last.endswith("\n"):
        click.echo()
