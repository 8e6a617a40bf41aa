"""What a service is made of: the running installation's command, its port, and settings from the environment."""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click

from app import config_file
from app.config import CLI_ENVIRONMENT, Settings
from app.console.machine import Machine

COMMAND = "claude-max-api"
# The service manager gives these, or they belong to one terminal session.
SESSION = frozenset({"HOME", "PATH", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE"})
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL")
PASSWORD_IN_URL = re.compile(r"(?<=://)[^/@\s]*@")
# Where installers and Homebrew put `claude`; a service manager's own PATH is bare.
HOMEBREW = "/opt/homebrew/bin"
# macOS asks the user before a program may read these, and there is nobody to ask where a service runs.
GUARDED = ("Desktop", "Documents", "Downloads")


class Installation(NamedTuple):
    """What is filled into the template; `left_out` names credentials that are not copied into a file.

    `port` is None where the configuration file names it, which may name another one later.
    """

    program: Path
    port: int | None
    path: str
    environ: dict[str, str]
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, machine: Machine, settings: Settings) -> Installation:
        """Return the running installation with the settings of its environment.

        Raises ClickException when the command cannot be found, or lies where macOS lets no service read.
        """
        program = _program()
        if machine.platform == "darwin":
            _check_guarded(machine.home, program, settings)
        own = _own_settings(machine.environ, settings)
        others = {
            name: machine.environ[name]
            for name in sorted((CLI_ENVIRONMENT - SESSION) | set(settings.pass_env))
            if machine.environ.get(name) and name not in own
        }
        # The server's own keys are its business; a login belongs to `claude`, which keeps it in a place of its own.
        left_out = tuple(name for name in others if SECRET.search(name))
        kept = {name: value for name, value in others.items() if name not in left_out}
        named = machine.environ.get("PORT", "").strip() or "port" not in config_file.load(machine.environ).tables
        port = settings.port if named else None
        return cls(program, port, _path(machine, settings), {**own, **kept}, left_out)

    @property
    def words(self) -> list[str]:
        """The command that serves."""
        return [str(self.program), "serve", *([] if self.port is None else [str(self.port)])]


def _check_guarded(home: Path, program: Path, settings: Settings) -> None:
    for path in (program, settings.claude_bin, settings.workspace, settings.state_dir, settings.config):
        for folder in GUARDED:
            if path is not None and path.is_relative_to(home / folder):
                raise click.ClickException(
                    f"{path} lies in {home / folder}, which macOS lets no background service read. Move it, for "
                    f"instance to {home / 'claude-max-api-proxy'}, make its venv anew there, and install from there."
                )


def shown(name: str, value: str) -> str:
    """Return a value as it may be printed: without keys and passwords."""
    return "********" if SECRET.search(name) else PASSWORD_IN_URL.sub("********@", value)


def _own_settings(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    found = {}
    for field in dataclasses.fields(Settings):
        name = field.metadata.get("env", "PORT")
        if name != "PORT" and environ.get(name, "").strip():  # the port is an argument of the command
            value = getattr(settings, field.name)
            # A path was given from here; the service runs elsewhere.
            found[name] = str(value) if isinstance(value, Path) else environ[name].strip()
    if settings.config is not None and environ.get("XDG_CONFIG_HOME"):
        # The service would look for it in the usual folder.
        found[config_file.VARIABLE] = str(settings.config)
    return found


def _program() -> Path:
    called = Path(sys.argv[0])
    for candidate in (called, Path(sys.executable).parent / COMMAND, Path(shutil.which(COMMAND) or COMMAND)):
        if candidate.name == COMMAND and candidate.is_file():
            return candidate.absolute()
    raise click.ClickException(f"The command {COMMAND} was not found beside {sys.executable}; install the package.")


def _path(machine: Machine, settings: Settings) -> str:
    folders = [f"{machine.home}/.local/bin", HOMEBREW, "/usr/local/bin", "/usr/bin", "/bin"]
    if machine.platform != "darwin":
        folders.remove(HOMEBREW)
    claude = shutil.which("claude", path=settings.cli_environ.get("PATH", ""))
    if claude is not None and (home := str(Path(claude).absolute().parent)) not in folders:
        # nvm and the like: `node` is there too, which some versions of `claude` need.
        folders.insert(0, home)
    return ":".join(folders)
