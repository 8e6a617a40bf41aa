"""claude-max-api status: the running server, from its /ready."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import click

from app.console import running_server
from app.console.machine import Machine, pass_machine
from app.console.running_server import NoAnswer
from app.console.settings import read

DAY = 86400
UNITS = ((DAY, "d"), (3600, "h"), (60, "min"), (1, "s"))
KNOWN = frozenset(
    "status reason demo cli unproven login slots spares agents kept uptime_s plan limited processes last_errors".split()
)


@click.command()
@running_server.options
@click.option("--json", "as_json", is_flag=True, help="The server's own words: the JSON of GET /ready.")
@pass_machine
@click.pass_context
def status(context: click.Context, machine: Machine, port: int | None, key: str | None, *, as_json: bool) -> None:
    """Show the running server.

    The exit status is 1 when none runs or it is not ready.
    """
    running = running_server.reach(read(machine, port), port, key)
    try:
        body = running.fetch("/ready").body
    except NoAnswer as error:
        if as_json:
            click.echo(json.dumps({"status": "no_answer", "reason": str(error)}, indent=2))
            context.exit(1)
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
    if "uptime_s" in body:
        yield "up", duration(body["uptime_s"])
    yield from _claude(body)
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
    if notice := body.get("unproven") or cli.get("put_aside"):
        yield "notice", str(notice)


def _history(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if processes := body.get("processes"):
        yield "started", f"{_told(processes.get('started') or {}) or 'nothing'}; {processes.get('live')} live"
        if ended := _told(processes.get("ended") or {}):
            yield "ended", ended
    if body.get("limited"):
        yield "limited", str(body["limited"])
    for name, window in _windows(body.get("plan")):
        yield "plan", f"{name.replace('_', ' ')}: {_window(window)}"
    for error in body.get("last_errors") or ():
        shown = {**error, "at": _time(error["at"])} if isinstance(error, dict) and "at" in error else error
        yield "error", _told(shown)


def duration(seconds: float) -> str:
    """Return a time span with its two largest units."""
    left, parts = int(seconds), []
    for size, unit in UNITS:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _windows(plan: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(plan, dict) and isinstance(plan.get("windows"), dict | list):
        plan = plan["windows"]
    if isinstance(plan, dict):
        yield from plan.items()
    elif isinstance(plan, list):
        for number, window in enumerate(plan, 1):
            named = isinstance(window, dict) and (window.get("name") or window.get("type"))
            yield str(named or number), window


def _window(window: Any) -> str:
    if not isinstance(window, dict):
        return _told(window)
    told = []
    used = window.get("used_percent", window.get("percent"))
    if used is None and isinstance(window.get("utilization"), int | float):
        used = window["utilization"] * 100
    if isinstance(used, int | float):
        told.append(f"{used:.0f} % used")
    named = {"used_percent", "percent", "utilization", "resets_at", "seen_at", "name", "type"}
    told += [f"{name} {_told(value)}" for name, value in window.items() if name not in named and value is not None]
    if window.get("resets_at"):
        told.append(f"resets {_time(window['resets_at'])}")
    if window.get("seen_at"):
        told.append(f"as of {_time(window['seen_at'])}")
    return ", ".join(told)


def _time(value: Any) -> str:
    try:
        moment = (
            dt.datetime.fromtimestamp(value, dt.UTC)
            if isinstance(value, int | float)
            else dt.datetime.fromisoformat(str(value))
        )
    except (ValueError, OverflowError, OSError):
        return str(value)
    return moment.astimezone().strftime("%a %d %b %H:%M")


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(inner)}" for name, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return ", ".join(_told(inner) for inner in value)
    return str(value)
