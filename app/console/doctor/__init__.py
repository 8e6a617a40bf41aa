"""claude-max-api doctor: why does it not work, and what mends it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator

import click

from app.console import running_server
from app.console.doctor import claude_checks, server_checks
from app.console.doctor.case import Case
from app.console.doctor.finding import Finding, failed
from app.console.machine import Machine, pass_machine
from app.version import __version__

# In the order in which somebody mends things: what comes first hides what comes after.
CHECKS: dict[str, Callable[[Case], Finding]] = {
    "settings": server_checks.settings,
    "environment": server_checks.environment,
    "state folder": server_checks.state_folder,
    "database": server_checks.database,
    "tools": server_checks.tools,
    "agents": server_checks.agents,
    "captures": server_checks.captures,
    "claude": claude_checks.cli,
    "version": claude_checks.version,
    "login": claude_checks.logged_in,
    "paid by": claude_checks.paid_by,
    "start": claude_checks.starts,
    "mcp servers": claude_checks.mcp_servers,
    "proof": claude_checks.proven,
    "port": server_checks.port,
    "service": server_checks.background,
}
COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "bright_black"}
WIDTH = 100
INDENT = " " * 20


@click.command()
@running_server.options
@click.option("--live", is_flag=True, help="Also ask the model a question; this spends one request of your plan.")
@click.option("--json", "as_json", is_flag=True, help="For programs: ok, version, and a list of checks.")
@pass_machine
@click.pass_context
def doctor(
    context: click.Context, machine: Machine, port: int | None, key: str | None, *, live: bool, as_json: bool
) -> None:
    """Look for whatever keeps the server from answering.

    The exit status is 1 when something does. Costs nothing without --live.
    """
    checks = {**CHECKS, "live answer": claude_checks.answers} if live else CHECKS
    case = Case.of(machine, port, key)
    if live and not as_json:
        click.echo("--live spends one request of your plan.\n")
    found: list[tuple[str, Finding]] = []
    for name, finding in _findings(case, checks):
        found.append((name, finding))
        if not as_json:
            _show(name, finding)
    ok = all(finding.verdict != "fail" for _, finding in found)
    if as_json:
        told = [{"check": name, **finding._asdict()} for name, finding in found]
        click.echo(json.dumps({"ok": ok, "version": __version__, "checks": told}, indent=2))
    else:
        click.echo(f"\n{_summary([finding for _, finding in found])}")
    context.exit(0 if ok else 1)


def _findings(case: Case, checks: dict[str, Callable[[Case], Finding]]) -> Iterator[tuple[str, Finding]]:
    for name, check in checks.items():
        try:
            finding = check(case)
        except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
            finding = failed(f"the check itself failed: {error!r}", "report this, with the line above")
        yield name, finding


def _show(name: str, finding: Finding) -> None:
    # click leaves the colour out where the output is no terminal.
    click.echo(f"{click.style(finding.verdict, fg=COLOURS[finding.verdict])}  {name:12}  ", nl=False)
    text = textwrap.fill(
        finding.text,
        WIDTH,
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    click.echo(text.lstrip())
    for line in finding.lines:
        click.echo(f"{INDENT}{line}")
    if finding.remedy:
        # On a line of its own and never broken, so that it can be copied.
        click.echo(f"{INDENT}-> {finding.remedy}")


def _summary(findings: list[Finding]) -> str:
    fails = sum(finding.verdict == "fail" for finding in findings)
    warnings = sum(finding.verdict == "warn" for finding in findings)
    if fails:
        return f"{fails} of {len(findings)} checks failed; the lines with -> say what to do, the first one first."
    if warnings:
        return f"It works. {warnings} {'things' if warnings > 1 else 'thing'} to know of, see ->."
    return "All is well."
