"""Whether settings, environment, port, state folder and service are as they should be."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path

import click

from app import config_file
from app.captures.captures import FOLDER, files
from app.claude.cli.binary import find
from app.config import ANYONE, setting_names
from app.config_reading import read_settings
from app.console.doctor.case import Case
from app.console.doctor.finding import Finding, Verdict, failed, passed, warned
from app.console.misspelt import find_misspelt
from app.console.running_server import NoAnswer
from app.console.serve import check_port
from app.console.service import unit_for
from app.console.service.program import find_missing
from app.errors import CliFailed, ConfigError, StorageUnavailable
from app.storage import open_storage

# These send a request, and its bill, elsewhere than to the plan of the login.
ADDRESS = "ANTHROPIC_BASE_URL"
BILLS = re.compile(rf"ANTHROPIC_API_KEY|ANTHROPIC_AUTH_TOKEN|{ADDRESS}|CLAUDE_CODE_USE_[A-Z]+")
OFF = frozenset({"", "0", "false", "no", "off"})


def settings(case: Case) -> Finding:
    """Name each setting that cannot be used or that there is not."""
    unknown = find_misspelt(case.environ)
    told = [*case.broken, *unknown.values()]
    if told:
        named = [found[0] for sentence in case.broken if (found := re.match(r"[A-Z_]+(?==)", sentence))]
        verdict: Verdict = "fail" if case.broken else "warn"
        unset = [*named, *unknown]
        return Finding(verdict, "; ".join(told), f"correct, or unset {' '.join(unset)}" if unset else "correct that")
    file, origins = case.reading.file, case.reading.origins
    if danger := config_file.danger(file):
        sentence, _, remedy = danger.partition("; run ")
        return warned(sentence, remedy)
    given = [name for name in setting_names() if name in origins.values()]
    of_file = len(origins) - len(given)
    sources = [f"the environment: {', '.join(given)}"] * bool(given) + [f"{file.path} ({of_file})"] * bool(of_file)
    return passed(f"from {' and '.join(sources)}" if sources else "all at their defaults")


def environment(case: Case) -> Finding:
    """Look for variables that would make claude bill the API instead of the plan."""
    ambient = sorted(
        name for name, value in case.environ.items() if BILLS.fullmatch(name) and value.strip().lower() not in OFF
    )
    handed = [name for name in ambient if name in case.settings.cli_environ]
    billed = [name for name in handed if name != ADDRESS]
    kept = [name for name in ambient if name not in handed]
    told, remedies = [], []
    if billed:
        told.append(f"CLAUDE_PROXY_PASS_ENV hands {', '.join(billed)} to claude: that account is billed, not your plan")
    if ADDRESS in handed:
        told.append(f"CLAUDE_PROXY_PASS_ENV hands {ADDRESS} to claude: conversations and the login go to that address")
    if handed:
        remedies.append(f"take {', '.join(handed)} out of CLAUDE_PROXY_PASS_ENV, unless you mean it")
    if kept:
        told.append(
            f"{', '.join(kept)} is set: this server keeps it from claude and your plan is used, "
            "but a claude that you run in this shell yourself obeys it"
        )
        remedies.append(f"unset {' '.join(kept)}")
    if not told:
        return passed("nothing in it would bill the API instead of your plan")
    return Finding("fail" if billed else "warn", "; ".join(told), "; ".join(remedies))


def port(case: Case) -> Finding:
    """Tell whether the port is free, ours or somebody else's."""
    server, number = case.server, case.settings.port
    if server.is_ours():
        try:
            ready = server.fetch("/ready").body
        except NoAnswer as error:
            return warned(str(error), "export CLAUDE_PROXY_API_KEY=the-key")
        if ready.get("status") == "ready":
            if ready.get("demo"):
                return warned(f"the demo answers at {server.url}/v1, with canned text", "serve without --demo")
            return passed(f"this server answers at {server.url}/v1 and is ready")
        return warned(
            f"this server answers at {server.url}/v1, but is not ready: {ready.get('reason')}",
            "do what it says; it need not be restarted",
        )
    try:
        check_port(case.settings)
    except ConfigError as error:
        if "is taken" not in str(error):
            return failed(str(error), f"claude-max-api serve {number + 1}")
        partly, _, _ = str(error).partition(", and programs")
        return failed(
            partly if " though " in partly else f"port {number} is taken by another program",
            f"claude-max-api serve {number + 1}   (or see who has it: lsof -nP -iTCP:{number} -sTCP:LISTEN)",
        )
    return passed(f"{number} is free; no server runs")


def state_folder(case: Case) -> Finding:
    """Try the state folder, without making or changing it."""
    folder = case.settings.state_dir
    there = _nearest(folder)
    remedy = f"mkdir -p {shlex.quote(str(folder))}, or set CLAUDE_PROXY_STATE_DIR to a folder you may write to"
    if not there.is_dir():
        return failed(f"{folder} cannot be made: {there} is not a folder", remedy)
    try:
        # Root may write where the mode says no, a mount says no to everybody: only a try tells.
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return failed(f"{folder} cannot be written to: {error.strerror}", remedy)
    if there != folder:
        return passed(f"{folder} will be made at the first start")
    if folder.stat().st_mode & 0o077:
        return warned(
            f"{folder} is open to others; the server closes it at its start", f"chmod 700 {shlex.quote(str(folder))}"
        )
    return passed(f"{folder} is writable and private")


def database(case: Case) -> Finding:
    """Ask the database that is named, if any."""
    try:
        storage = open_storage(case.settings)
    except ConfigError as error:
        return failed(str(error), "do what it says")
    if storage.database is None:
        return passed("sessions and API keys are in files of the state folder")
    away, where = storage.database.away, storage.database.where
    storage.close()
    if away is not None:
        return failed(
            f"{where} is away: {away}", "start it, or correct CLAUDE_PROXY_DATABASE; the server needs no restart"
        )
    return passed(f"sessions and API keys are in {where}")


def tools(case: Case) -> Finding:
    """Say who may use Claude Code's own tools on this machine."""
    given = case.settings
    if not given.tools:
        return passed("Claude Code's own are off: no client can run anything here (CLAUDE_PROXY_TOOLS)")
    which = f"CLAUDE_PROXY_TOOLS={','.join(given.tools)}"
    try:
        kept = open_storage(given).keys.read()
    except (ConfigError, StorageUnavailable) as error:
        return failed(str(error), "do what it says")
    names = {key.name for key in (*given.api_keys, *(kept or ()))}
    if given.tools_for == ANYONE:
        who = "whoever has an API key" if given.api_keys or kept is not None else "every program on this machine"
        return warned(f"{which} lets {who} act here as you", "set CLAUDE_PROXY_TOOLS_FOR to the names of some API keys")
    if missing := [name for name in given.tools_for if name not in names]:
        return warned(f"{which}: no API key is called {', '.join(missing)}", f"claude-max-api key add {missing[0]}")
    return passed(f"{which} for the API keys {', '.join(given.tools_for)}: they can do here what you can do")


def captures(case: Case) -> Finding:
    """Say whether requests are kept with what is said in them."""
    number, folder = case.settings.captures, case.settings.state_dir / FOLDER
    if number:
        return warned(
            f"CLAUDE_PROXY_RECORD={number}: the last requests are kept, with all that is said in them, in {folder}",
            "unset CLAUDE_PROXY_RECORD once the report is made, and restart the server",
        )
    if kept := sum(1 for _ in files(folder)):
        return warned(f"{kept} requests are kept in {folder}, with all that is said", "claude-max-api report --clear")
    return passed("no request is kept for a bug report (CLAUDE_PROXY_RECORD)")


def agents(case: Case) -> Finding:
    """List the agents, and name what is hardly meant in their rows."""
    table = case.settings.agents
    if table.doubts:
        first = table.doubts[0]
        return warned("; ".join(table.doubts), first[first.index("`") + 1 : first.rindex("`")])
    if not table.agents:
        return passed("no agent has a name; `claude-max-api docs agents` tells what that would be")
    return passed(f"{', '.join(table.agents)}, each for the keys in its row")


def background(case: Case) -> Finding:
    """Ask for the background service, which nobody needs to have."""
    try:
        unit = unit_for(case.machine)
    except click.ClickException as error:
        return passed(error.message)
    if not unit.file.is_file():
        return passed("not installed; `claude-max-api service install` would start the server at your login")
    text = unit.file.read_text(errors="replace")
    if missing := find_missing(text):
        return failed(missing, "claude-max-api service install")
    if told := _without_claude(case, text):
        return failed(told, "claude-max-api service install, from a shell in which `claude` is found")
    state = unit.state()
    if state.problem is not None:
        reason, _, remedy = state.problem.partition("\n")
        return warned(f"installed, but its state is unknown: {reason}", remedy)
    if state.pid is None:
        return warned(state.text, "claude-max-api service start   (and claude-max-api service logs)")
    return passed(state.text)


def _without_claude(case: Case, text: str) -> str | None:
    """Tell where the service, whose PATH is another than this shell's, finds no `claude` (a path of nvm's, say)."""
    path = re.search(r'"PATH=([^"]*)"|<key>PATH</key>\s*<string>([^<]*)<', text)
    binary = re.search(r'"CLAUDE_BIN=([^"]*)"|<key>CLAUDE_BIN</key>\s*<string>([^<]*)<', text)
    if path is None:
        return None
    given = {"PATH": path[1] or path[2], "HOME": str(case.machine.home)}
    if binary is not None:
        given["CLAUDE_BIN"] = binary[1] or binary[2]
    try:
        find(read_settings(given))
    except (CliFailed, ConfigError) as error:
        return f"with the service's own environment: {error}"
    return None


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest of its parents that is there."""
    for path in (folder, *folder.parents):
        try:
            path.lstat()
        except OSError:
            continue
        return path
    return Path("/")
