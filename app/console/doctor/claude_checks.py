"""Whether the CLI is there, new enough, logged in and able to answer."""

from __future__ import annotations

import datetime as dt
import tempfile
import time

import msgspec

from app import create_app
from app.claude.cli import binary, login
from app.claude.cli.binary import Locator
from app.config import Settings
from app.console import start
from app.console.doctor.case import Case
from app.console.doctor.finding import Finding, failed, passed, skipped, warned
from app.errors import CliFailed, ConfigError
from app.proof import report
from app.web.state import state

QUESTION = {"role": "user", "content": "Answer with the one word OK."}
# What a live question needs to know of the environment; the rest is about whom the server serves.
ASKED_WITH = ("CLAUDE_BIN", "CLAUDE_PROXY_PASS_ENV", "CLAUDE_PROXY_DEFAULT_MODEL", "CLAUDE_PROXY_DEMO")


class _Account(msgspec.Struct, rename="camel"):
    """What `claude auth status` says beside yes or no; all of it may be absent."""

    auth_method: str | None = None
    subscription_type: str | None = None


def cli(case: Case) -> Finding:
    """Look for the executable."""
    try:
        case.binary = binary.find(case.settings)
    except CliFailed as error:
        if case.settings.claude_bin is not None:
            return failed(error.message, "unset CLAUDE_BIN")
        return failed(error.message, binary.INSTALL)
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
        return failed("claude is not logged in; every request would get a 401", case.claude("auth login"))
    try:
        account = msgspec.json.decode(told, type=_Account)
    except msgspec.DecodeError:
        account = _Account()
    means = ", ".join(filter(None, (account.auth_method, account.subscription_type)))
    if (account.auth_method or "").startswith("api_key"):
        return warned("logged in with an API key, which is billed; the plan is not used", case.claude("auth login"))
    return passed(f"logged in{f' ({means})' if means else ''}")


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
    asked_with = {name: case.environ[name] for name in ASKED_WITH if name in case.environ}
    with tempfile.TemporaryDirectory(prefix="claude-max-api-") as folder:
        own = {"CLAUDE_PROXY_STATE_DIR": folder, "CLAUDE_PROXY_SPARES": "0", "LOG_LEVEL": "CRITICAL"}
        try:
            settings = Settings.from_environ({**case.settings.cli_environ, **asked_with, **own})
            app = create_app(settings)
        except ConfigError as error:
            return failed(str(error), "correct the setting that is named")
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
        remedy = case.claude("auth login")
    return failed(f"{response.status_code} {problem.get('code')}: {problem.get('message')}", remedy)
