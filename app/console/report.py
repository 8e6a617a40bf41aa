"""claude-max-api report: pack the capture of one request for a bug report, or list those that there are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import click

from app import demo, private_file
from app.captures.capture import read, read_head
from app.captures.captures import FOLDER, SUFFIX, files
from app.captures.report import pack, said_of
from app.console import settings
from app.console.machine import Machine, pass_machine

WANTED = "CLAUDE_PROXY_RECORD=20 in the environment of the server keeps the last 20 requests from its restart on."


@click.command()
@click.argument("request_id", required=False)
@click.option("--with-contents", is_flag=True, help="Everything that was said, and not the texts' lengths alone.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write, by default REQUEST_ID.zip in this folder.",
)
@click.option("--clear", is_flag=True, help="Remove all that is kept.")
@pass_machine
def report(machine: Machine, request_id: str | None, output: Path | None, *, with_contents: bool, clear: bool) -> None:
    """Pack a request for a bug report, or list what is kept.

    It packs what was kept of the request REQUEST_ID into a file. The server keeps requests where CLAUDE_PROXY_RECORD
    says how many. REQUEST_ID is what the answer has as x-request-id, and the log as id; its beginning will do.
    """
    state = settings.read(machine, None).state_dir
    kept = [path for folder in (state, state / demo.FOLDER) for path in files(folder / FOLDER)]
    if clear:
        for path in kept:
            path.unlink(missing_ok=True)
        click.echo(f"{len(kept)} removed.", err=True)
    elif request_id is None:
        for line in _listed(kept):
            click.echo(line)
        if not kept:
            click.echo(f"Nothing is kept. {WANTED}", err=True)
    else:
        _pack(_found(kept, request_id), output, with_contents=with_contents)


def _listed(kept: list[Path]) -> Iterator[str]:
    for path in kept:
        try:
            one = read_head(path).summary
        except (OSError, ValueError) as error:
            yield f"{_id(path)}  cannot be read: {error}"
            continue
        when = dt.datetime.fromtimestamp(one.at).astimezone().strftime("%a %d %b %H:%M:%S")
        told = (one.id, when, one.method, one.route, str(one.status), one.code, one.model or one.asked)
        yield "  ".join(filter(None, (*told, f"{path.stat().st_size:,} bytes")))


def _found(kept: list[Path], request_id: str) -> Path:
    found = [path for path in kept if _id(path).startswith(request_id)]
    if not found:
        known = "`claude-max-api report` lists what is." if kept else WANTED
        raise click.ClickException(f"Nothing is kept of a request {request_id}. {known}")
    if len(found) > 1:
        raise click.ClickException(
            f"{len(found)} requests begin with {request_id}; `claude-max-api report` lists them."
        )
    return found[0]


def _pack(path: Path, output: Path | None, *, with_contents: bool) -> None:
    output = output or Path(f"{_id(path)}.zip")
    try:
        head, parts = read(path)
        packed, sentences = pack(head, parts, contents=with_contents)
        private_file.replace(output, packed)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path} cannot be packed into {output}: {error}.") from None
    click.echo(output)
    for name, sentence in sentences.items():
        click.echo(f"  {name:13} {sentence}", err=True)
    if head.left_out:
        sizes = ", ".join(f"{size:,} bytes of {kind}" for kind, size in head.left_out.items())
        click.echo(f"There was no room for {sizes}.", err=True)
    click.echo(said_of(contents=with_contents), err=True)


def _id(path: Path) -> str:
    return path.name.removesuffix(SUFFIX).partition("-")[2]
