"""Whether settings, environment, port, state folder and service are as they should be."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path

import click

from app.claude.cli.binary import find
from app.config import ANYONE, Settings, setting_names
from app.console.doctor.case import Case
from app.console.doctor.finding import Finding, Verdict, failed, passed, warned
from app.console.misspelt import find_misspelt
from app.console.running_server import NoAnswer
from app.console.serve import check_port
from app.console.service import unit_for
from app.errors import CliFailed, ConfigError
from app.keys.file import KeyFile

# These send a request, and its bill, elsewhere than to the plan of the login.
ADDRESS = "ANTHROPIC_BASE_URL"
BILLS = re.compile(rf"ANTHROPIC_API_KEY|ANTHROPIC_AUTH_TOKEN|{ADDRESS}|CLAUDE_CODE_USE_[A-Z]+")
OFF = frozenset({"", "0", "false", "no", "off"})


def settings(case: Case) -> Finding:
    """Name each setting that cannot be used or that there is not."""
    unknown = find_misspelt(case.environ)
    told = [*case.broken, *unknown.values()]
    if told:
        named = [found[0] for sentence in case.broken if (found := re.match(r"[A-Z_]+", sentence))]
        verdict: Verdict = "fail" if case.broken else "warn"
        return Finding(verdict, "; ".join(told), f"correct, or unset {' '.join([*named, *unknown])}")
    given = [name for name in setting_names() if case.environ.get(name)]
    return passed(f"from the environment: {', '.join(given)}" if given else "all at their defaults")


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


def tools(case: Case) -> Finding:
    """Say who may use Claude Code's own tools on this machine."""
    given = case.settings
    if not given.tools:
        return passed("Claude Code's own are off: no client can run anything here (CLAUDE_PROXY_TOOLS)")
    which = f"CLAUDE_PROXY_TOOLS={','.join(given.tools)}"
    try:
        kept = KeyFile(given.state_dir).read()
    except ConfigError as error:
        return failed(str(error), "do what it says")
    names = {key.name for key in (*given.api_keys, *(kept or ()))}
    if given.tools_for == ANYONE:
        who = "whoever has an API key" if given.api_keys or kept is not None else "every program on this machine"
        return warned(f"{which} lets {who} act here as you", "set CLAUDE_PROXY_TOOLS_FOR to the names of some API keys")
    if missing := [name for name in given.tools_for if name not in names]:
        return warned(f"{which}: no API key is called {', '.join(missing)}", f"claude-max-api key add {missing[0]}")
    return passed(f"{which} for the API keys {', '.join(given.tools_for)}: they can do here what you can do")


def background(case: Case) -> Finding:
    """Ask for the background service, which nobody needs to have."""
    try:
        unit = unit_for(case.machine)
    except click.ClickException as error:
        return passed(error.message)
    if not unit.file.is_file():
        return passed("not installed; `claude-max-api service install` would start the server at your login")
    text = unit.file.read_text(errors="replace")
    program = re.search(r"(?:ExecStart=|<string>)\"?(/.*?/claude-max-api)\b", text)
    if program and (gone := _missing_part(Path(program[1]))):
        return failed(f"it starts {program[1]}{gone}", "claude-max-api service install")
    if told := _without_claude(case, text):
        return failed(told, "claude-max-api service install, from a shell in which `claude` is found")
    state = unit.state()
    if state.problem is not None:
        reason, _, remedy = state.problem.partition("\n")
        return warned(f"installed, but its state is unknown: {reason}", remedy)
    if state.pid is None:
        return warned(state.text, "claude-max-api service start   (and claude-max-api service logs)")
    return passed(state.text)


def _missing_part(program: Path) -> str | None:
    """Return what is gone of an installed command: itself, or the Python that its first line names."""
    try:
        with program.open("rb") as file:
            first = file.readline(4096).decode(errors="replace").strip()
    except OSError:
        return ", which is gone"
    python = first.removeprefix("#!").strip('"')
    return f", whose Python is gone: {python}" if first.startswith("#!/") and not Path(python).exists() else None


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
        find(Settings.from_environ(given))
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
