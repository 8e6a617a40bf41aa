"""claude-max-api status: the running server, from its /ready; with --all every host, from the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from app.console import all_hosts, running_server
from app.console.machine import Machine, pass_machine
from app.console.running_server import KeyWanted, NoAnswer
from app.console.settings import read
from app.moments import local

DAY_SECONDS = 86400
UNITS = ((DAY_SECONDS, "d"), (3600, "h"), (60, "min"), (1, "s"))
KNOWN = frozenset(
    """
    status reason demo cli unproven login login_digest paid_by slots spares agents kept uptime_s plan limited captures
    processes last_errors
    """.split()
)


@click.command()
@running_server.options
@click.option("--all", "every", is_flag=True, help="All hosts that share CLAUDE_PROXY_DATABASE, as that knows them.")
@click.option("--json", "as_json", is_flag=True, help="The server's own words: the JSON of GET /ready.")
@pass_machine
@click.pass_context
def status(
    context: click.Context, machine: Machine, port: int | None, key: str | None, *, every: bool, as_json: bool
) -> None:
    """Show the running server, or with --all every host.

    The exit status is 1 when none runs or it is not ready; with --all, when none is.
    """
    if every:
        context.exit(0 if all_hosts.show(read(machine, port), as_json=as_json) else 1)
    running = running_server.reach(read(machine, port), port, key)
    try:
        body = running.fetch("/ready").body
    except NoAnswer as error:
        if as_json:
            click.echo(json.dumps({"status": "no_answer", "reason": str(error)}, indent=2))
            context.exit(1)
        if isinstance(error, KeyWanted):
            raise click.ClickException(str(error)) from None
        raise click.ClickException(
            f"{error}\n`claude-max-api serve` runs a server here, `claude-max-api service install` in the background; "
            "`claude-max-api doctor` looks for what is wrong."
        ) from None
    if as_json:
        click.echo(json.dumps(body, indent=2))
    else:
        for name, text in lines(running.url, body):
            click.echo(f"{name:8} {text}")
    context.exit(0 if body.get("status") == "ready" else 1)


def lines(url: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and text of each line; fields that the server does not send are left out."""
    ready = body.get("status") == "ready"
    yield "server", f"{url}/v1 is ready" if ready else f"{url}/v1 is NOT ready: {body.get('reason')}"
    if body.get("demo"):
        yield "demo", "answers are canned; no model is asked"
    if number := body.get("captures"):
        yield "keeps", f"the last {number} requests, with all that is said in them (CLAUDE_PROXY_RECORD)"
    if "uptime_s" in body:
        yield "up", duration(body["uptime_s"])
    yield from _claude(body)
    if payer := body.get("paid_by"):
        yield "paid by", str(payer)
    if slots := body.get("slots"):
        yield "turns", f"{slots.get('running')} of {slots.get('limit')} running, {slots.get('waiting')} waiting"
    if spares := body.get("spares"):
        yield "spares", f"{spares.get('ready')} of {spares.get('wanted')} ready"
    if (agents := body.get("agents")) and agents.get("wanted"):
        yield "agents", f"{agents.get('ready')} of {agents.get('wanted')} ready"
    if kept := body.get("kept"):
        of = f" of {kept['limit']}" if "limit" in kept else ""
        yield "kept", f"{kept.get('idle', 0)}{of} for a next turn, {kept.get('parked', 0)} for tool results"
    yield from _history(body)
    for name in sorted(body.keys() - KNOWN):
        yield name, _told(body[name])


def _claude(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    cli = body.get("cli") or {}
    if cli.get("found"):
        proof = (cli.get("proof") or {}).get("state")
        proven = f", {proof}" if proof else ""
        yield "claude", f"{cli.get('version')} at {cli.get('path')}, login {body.get('login')}{proven}"
    if digest := body.get("login_digest"):
        yield "login", f"known as {digest}, for `key add NAME --login`"
    if notice := body.get("unproven") or cli.get("put_aside"):
        yield "notice", str(notice)


def _history(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if processes := body.get("processes"):
        yield "started", f"{_told(processes.get('started') or {}) or 'nothing'}; {processes.get('live')} live"
        if ended := _told(processes.get("ended") or {}):
            yield "ended", ended
    if body.get("limited"):
        yield "limited", str(body["limited"])
    for name, window in (body.get("plan") or {}).get("windows", {}).items():
        yield "plan", f"{name.replace('_', ' ')}: {_window(window)}"
    for error in body.get("last_errors") or ():
        yield "error", _told({**error, "at": local(error["at"])})


def duration(seconds: float) -> str:
    """Return a time span with its two largest units."""
    left, parts = int(seconds), []
    for size, unit in UNITS:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _window(window: dict[str, Any]) -> str:
    used, status, resets, seen = (window.get(name) for name in ("used_percent", "status", "resets_at", "seen_at"))
    told = (
        None if used is None else f"{used:.0f} % used",
        None if status is None else f"status {status}",
        None if resets is None else f"resets {local(resets)}",
        None if seen is None else f"as of {local(seen)}",
    )
    return ", ".join(filter(None, told))


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(inner)}" for name, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return ", ".join(_told(inner) for inner in value)
    return str(value)
