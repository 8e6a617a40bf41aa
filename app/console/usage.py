"""claude-max-api usage: who used how much, read from the ledger, whether a server runs or not."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
import time
from collections.abc import Iterator

import click
import msgspec

from app.console.machine import Machine, pass_machine
from app.console.settings import read
from app.errors import ConfigError, DatabaseFailed
from app.ledger import report
from app.ledger.place import file_of, open_store
from app.ledger.report import Since, Sum
from app.ledger.sqlite import SqliteReader
from app.storage import open_storage

HEADINGS = ("requests", "failed", "new input", "cached input", "output", "list price")
NOBODY = {"key": "(no key)", "model": "(no answer)", "client": "(unnamed)"}


@click.command()
@click.option("--by", type=click.Choice([*report.GROUPS]), default="key", show_default=True, help="What to sum by.")
@click.option("--since", default="7d", show_default=True, metavar="PERIOD", help=f"{report.PERIODS}.".capitalize())
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="The same as comma-separated values.")
@pass_machine
def usage(machine: Machine, by: str, since: str, *, as_json: bool, as_csv: bool) -> None:
    """Show who used how much; this costs nothing.

    The figures come from the ledger itself, so that no server need run; of all hosts together where they share a
    database.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")
    try:
        begin = report.since(since, time.time())
    except (ValueError, OverflowError):
        raise click.BadParameter(f"it takes a period {report.PERIODS}", param_hint="--since") from None
    parts = _sums(machine, by, begin)
    if as_json:
        total = msgspec.to_builtins(report.total(parts))
        del total["name"]
        told = {"object": "usage", "by": by, "since": begin.at, "data": msgspec.to_builtins(parts), "total": total}
        click.echo(json.dumps(told, indent=2))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([by, *Sum.__struct_fields__[1:]])
        writer.writerows(msgspec.structs.astuple(part) for part in parts)
    else:
        for line in lines(by, parts):
            click.echo(line)


def lines(by: str, parts: list[Sum]) -> Iterator[str]:
    """Yield a table for people, with the sum of all in its last line."""
    if not parts:
        yield "Nothing was used in this time."
        return
    table = [(by, *HEADINGS), *(_cells(part, part.name or NOBODY.get(by, "")) for part in parts)]
    if len(parts) > 1:
        table.append(_cells(report.total(parts), "together"))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        name, *figures = (f"{cell:{'<' if not place else '>'}{widths[place]}}" for place, cell in enumerate(row))
        yield "  ".join([name, *figures])
    if (unpriced := report.total(parts).unpriced) > 0:
        yield f"{unpriced} of these requests are without a price: claude did not tell it before they were ended."


def _cells(part: Sum, name: str) -> tuple[str, ...]:
    new = part.input_tokens + part.cache_write_tokens
    figures = (part.requests, part.failed, new, part.cache_read_tokens, part.output_tokens)
    return (name, *(f"{figure:,}" for figure in figures), f"${part.dollars:,.2f}")


def _sums(machine: Machine, by: str, begin: Since) -> list[Sum]:
    settings = read(machine, None)
    file = file_of(settings)
    try:
        with contextlib.closing(open_storage(settings)) as storage:
            if storage.database is not None:
                return open_store(settings, storage.database).sums(by, begin)
        if file.exists():
            return SqliteReader(file).sums(by, begin)
    except (ConfigError, DatabaseFailed) as error:
        raise click.ClickException(str(error)) from None
    raise click.ClickException(
        f"{file} does not exist: no request has been answered yet with this state folder (a demo's do not count)."
    )
