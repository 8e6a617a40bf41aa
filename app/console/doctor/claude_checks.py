"""Whether the CLI is there, new enough, logged in and able to answer."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from pathlib import Path

import msgspec

from app import create_app, moments
from app.claude.cli import binary, login, payer
from app.claude.cli.binary import Locator
from app.claude.cli.extra_usage import ExtraUsageFile
from app.config import Settings
from app.console import start
from app.console.doctor.case import Case
from app.console.doctor.finding import Finding, failed, passed, skipped, warned
from app.errors import CliFailed
from app.proof import report
from app.web.state import state

DOCUMENT = "claude-max-api docs plans"
PLAN_AND_EXTRA = {
    "refuse": "once an answer was billed beyond it, further requests are refused; that one cannot be foreseen",
    "warn": "what is billed beyond it is answered and marked",
    "allow": "what is billed beyond it is answered",
}
QUESTION = {"role": "user", "content": "Answer with the one word OK."}
# What a live question needs to know of the settings; the rest is about whom the server serves.
ASKED_WITH = ("claude_bin", "default_model", "demo", "cli_environ")


def cli(case: Case) -> Finding:
    """Look for the executable."""
    try:
        case.binary = binary.find(case.settings)
    except CliFailed as error:
        if case.settings.claude_bin is not None:
            return failed(error.message, "unset CLAUDE_BIN")
        return failed(error.message, binary.INSTALLER)
    return passed(str(case.binary))


def version(case: Case) -> Finding:
    """Ask for its version."""
    if case.binary is None:
        return skipped("no claude to ask")
    try:
        return passed(case.locate())
    except CliFailed as error:
        too_old = "needs" in error.message
        return failed(error.message, case.update() if too_old else case.claude("--version"))


def logged_in(case: Case) -> Finding:
    """Ask for its login, which costs nothing."""
    if case.settings.demo:
        return passed("not needed: CLAUDE_PROXY_DEMO answers with canned text")
    if case.binary is None or not case.usable:
        return skipped("no usable claude to ask")
    try:
        yes, told = login.ask(case.binary, case.settings.cli_environ)
    except CliFailed as error:
        return warned(f"unknown: {error.message}", case.claude("auth status"))
    if not yes:
        return failed("claude is not logged in; every request would get a 401", binary.LOGIN)
    case.login = details = payer.details_of(msgspec.json.decode(told))
    means = ", ".join(filter(None, (details.auth_method, details.subscription_type))) if details is not None else ""
    digest = None if details is None else payer.login_digest(details)
    known = f", known as {digest} (`key add NAME --login`)" if digest is not None else ""
    return passed(f"logged in{f' ({means})' if means else ''}{known}")


def paid_by(case: Case) -> Finding:
    """Say who pays for answers, as claude itself tells it, and what becomes of extra usage."""
    if case.settings.demo:
        return passed("nobody: CLAUDE_PROXY_DEMO answers with canned text")
    if case.login is None:
        return skipped("no login to ask for it")
    who = payer.payer(case.login)
    if who != payer.PLAN:
        # The operator has chosen it by what is handed to claude, or by the login: said, not refused.
        return warned(f"{who}, which is billed; no plan is used", DOCUMENT)
    mode = case.settings.extra_usage
    told = f"plan ({PLAN_AND_EXTRA[mode]}; CLAUDE_PROXY_EXTRA_USAGE={mode}, see `claude-max-api docs plans`)"
    known = [extra for extra in ExtraUsageFile(case.settings.state_dir).read().values() if extra.until > time.time()]
    if known and mode != "allow":
        until = max(extra.until for extra in known)
        refused = mode == "refuse" and not all(extra.accepted for extra in known)
        told = (
            f"extra usage: an answer was billed beyond the plan; requests are {'refused' if refused else 'answered'} "
            f"until {moments.local(until, '%Y-%m-%d %H:%M')}"
        )
        return warned(told, "claude-max-api resume   (accepts extra usage until then)" if refused else DOCUMENT)
    return passed(told)


def starts(case: Case) -> Finding:
    """Start it as the server does, up to its answer to `initialize`: no token, no API request."""
    if case.binary is None or not case.usable:
        return skipped("no usable claude to start")
    began = time.monotonic()
    try:
        models = start.initialize(case.settings, case.binary)
    except (CliFailed, OSError) as error:
        return failed(str(error), case.update())
    took = int((time.monotonic() - began) * 1000)
    return passed(f"answers {took} ms after its start" + (f", offers {len(models)} models" if models else ""))


def mcp_servers(case: Case) -> Finding:
    """Start each MCP server that an agent may use, as the server does, and list its tools."""
    table = case.settings.agents
    servers = tuple(dict.fromkeys(server for agent in table.agents.values() for server in agent.servers))
    if not servers:
        return passed("no agent has one")
    if case.binary is None or not case.usable:
        return skipped("no usable claude to start them")
    try:
        states = start.mcp_servers(case.settings, case.binary, servers)
    except (CliFailed, OSError) as error:
        return failed(str(error), case.update())
    lines, broken = [], []
    for name, found in states.items():
        if found.connected:
            lines.append(f"{name}: {', '.join(found.tools) or 'no tools'}")
        else:
            broken.append(name)
            last = found.words.splitlines()[-1:]
            lines.append(f"{name}: {found.error}" + (f"; it said: {last[0][:200]}" if last else ""))
    if broken:
        remedy = f"mend [mcp.{broken[0]}] in {case.reading.file.path}, or what it starts"
        return Finding(
            "fail", f"{', '.join(broken)} does not start; requests to its agents get a 502", remedy, tuple(lines)
        )
    return Finding("pass", f"{len(servers)} started", None, tuple(lines))


def proven(case: Case) -> Finding:
    """Show what the last proof has found, a line a promise."""
    if case.binary is None or not case.usable:
        return skipped("no usable claude to prove")
    choice = Locator(case.settings).choice()
    if choice.proof is None:
        return skipped("not yet: a server proves it when it is quiet, `claude-max-api prove` at once")
    lines = tuple(map(report.line, choice.proof.outcomes))
    told = f"{report.summary(choice.proof)}, {dt.datetime.fromtimestamp(choice.proof.at).astimezone():%Y-%m-%d %H:%M}"
    if choice.proof.holds:
        return Finding("pass", told, None, lines)
    if choice.serving is None:
        return Finding("fail", f"{told}; requests get a 502", case.update(), lines)
    return Finding("warn", f"{told}; claude {choice.serving.version_text} serves", case.update(), lines)


def answers(case: Case) -> Finding:
    """Spend one request: ask the model a question through the server's own code, in this process."""
    if case.binary is None or not case.usable:
        return skipped("no usable claude to ask")
    asked_with = {name: getattr(case.settings, name) for name in ASKED_WITH}
    with tempfile.TemporaryDirectory(prefix="claude-max-api-") as folder:
        app = create_app(Settings(**asked_with, state_dir=Path(folder), spares=0, log_level="CRITICAL"))
        began = time.monotonic()
        try:
            body = {"model": "haiku", "messages": [QUESTION]}
            response = app.test_client().post("/v1/chat/completions", json=body)
        finally:
            state(app).backend.close()
    told = response.get_json(silent=True) or {}
    if response.status_code == 200:  # noqa: PLR2004
        text = told["choices"][0]["message"]["content"] or ""
        return passed(f"{told['model']} said {text[:40]!r} after {time.monotonic() - began:.1f} s")
    problem = told.get("error") or {}
    remedy = "LOG_LEVEL=DEBUG claude-max-api serve   (and ask it; its log says more)"
    if response.status_code == 401:  # noqa: PLR2004
        remedy = binary.LOGIN
    return failed(f"{response.status_code} {problem.get('code')}: {problem.get('message')}", remedy)
