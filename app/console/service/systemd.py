"""The service on Linux: a systemd user unit, driven by systemctl(1)."""

from __future__ import annotations

from pathlib import Path

from app.console.machine import Machine, Ran
from app.console.service.installation import Installation, shown
from app.console.service.state import ServiceState
from app.console.service.steps import Call, Remove, Step, Write

UNIT = "claude-max-proxy.service"
TEMPLATE = """\
# Written by `claude-max-api service install`, which replaces it; your own changes: systemctl --user edit {unit}
[Unit]
Description=OpenAI-compatible API over your Claude subscription (claude-max-api-proxy)
# Never give up: what is missing (a login, the CLI) may come later.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
{environ}
# Again after a crash, not after a clean stop, and not in a tight loop.
Restart=on-failure
RestartSec=10
# Longer than gunicorn's graceful_timeout, which running answers get to end.
TimeoutStopSec=40
# The end is told to the server alone, which ends its claude processes itself.
KillMode=mixed
# Nothing that it starts gains rights, by sudo or otherwise, and what it writes is its user's alone.
NoNewPrivileges=yes
UMask=0077
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SyslogIdentifier=claude-max-proxy

[Install]
WantedBy=default.target
"""
NO_SESSION = ("Failed to connect to bus", "not been booted with systemd", "XDG_RUNTIME_DIR not defined")
MISSING = 127


class UserUnit:
    """The unit of this user. systemd runs it while the user is logged in, or always where lingering is on."""

    name = UNIT

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        # A relative one is to be ignored: https://specifications.freedesktop.org/basedir-spec/
        given = Path(machine.environ.get("XDG_CONFIG_HOME", ""))
        config = given if given.is_absolute() else machine.home / ".config"
        self.file = config / "systemd" / "user" / UNIT

    def content(self, installation: Installation, *, hide: bool = False) -> bytes:
        """Return the unit; `hide` puts asterisks in place of secrets."""
        carried = {name: shown(name, value) if hide else value for name, value in installation.environ.items()}
        environ = {"PATH": installation.path, **carried}
        # A dollar sign is itself in both places: systemd replaces no variable in a program's path.
        program, *words = installation.words
        command = " ".join((_quoted(program), *words))
        lines = "\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in environ.items())
        return TEMPLATE.format(unit=UNIT, command=command, environ=lines).encode(errors="surrogateescape")

    def install(self, installation: Installation, *, upgrade: bool) -> list[Step]:
        """Return the steps; what runs already is started anew."""
        written = Write(
            self.file, self.content(installation), self.content(installation, hide=True).decode(errors="replace")
        )
        steps: list[Step] = [written, _call("daemon-reload"), _call("enable", "--now", UNIT)]
        return [*steps, _call("restart", UNIT)] if upgrade else steps

    def uninstall(self) -> list[Step]:
        """Return the steps that leave nothing of the unit; its journal ages as all journals do."""
        forget = Call(("systemctl", "--user", "reset-failed", UNIT), may_fail=True)
        return [_call("disable", "--now", UNIT), Remove(self.file), _call("daemon-reload"), forget]

    def start(self, state: ServiceState) -> list[Step]:
        """Return the steps that start it, without a restart if it runs."""
        del state
        return [_call("start", UNIT)]

    def stop(self) -> list[Step]:
        """Return the steps that end it until the next login."""
        return [_call("stop", UNIT)]

    def restart(self, state: ServiceState) -> list[Step]:
        """Return the steps that start it anew."""
        del state
        return [_call("restart", UNIT)]

    def logs(self, *, follow: bool) -> list[str]:
        """Return the command that shows the log."""
        return [
            "journalctl",
            "--user",
            f"--unit={UNIT}",
            "--lines=200",
            "--no-pager",
            "--output=cat",
            *(["-f"] if follow else []),
        ]

    def state(self) -> ServiceState:
        """Ask systemd."""
        call = _call("show", UNIT, "--property=LoadState,ActiveState,MainPID,Result")
        ran = self._machine.run(call.argv)
        if ran.code != 0:
            return ServiceState.unknown(self.file.is_file(), self.sentence(call, ran))
        told = dict(line.partition("=")[::2] for line in ran.output.splitlines())
        pid, result = told.get("MainPID", "0"), told.get("Result", "success")
        return ServiceState(
            installed=self.file.is_file(),
            loaded=told.get("LoadState") == "loaded",
            pid=int(pid) if pid.isdigit() and int(pid) else None,
            note=told.get("ActiveState", "") + ("" if result == "success" else f", {result}"),
        )

    def sentence(self, call: Call, ran: Ran) -> str:
        """Return what went wrong, and what to do about it."""
        said = f"`{' '.join(call.argv)}` failed ({ran.code}): {ran.output or 'no output'}"
        if ran.code == MISSING:
            return f"{said}\nThis machine has no systemd; let your own supervisor run `claude-max-api serve`."
        if any(words in ran.output for words in NO_SESSION):
            return (
                f"{said}\nThere is no systemd session of {self._machine.user} here, as in a container or after su. "
                "Log in as that user (ssh, or a console), "
                f"or run `sudo loginctl enable-linger {self._machine.user}` and "
                f"`export XDG_RUNTIME_DIR=/run/user/{self._machine.uid}`; "
                "in a container, run `claude-max-api serve` itself."
            )
        return f"{said}\n`systemctl --user status {UNIT}` and `claude-max-api service logs` may tell why."

    def hint(self) -> str | None:
        """Return how to keep it running after the logout, where it would end there."""
        user = self._machine.user
        ran = self._machine.run(("loginctl", "show-user", user, "--property=Linger"))
        if ran.output.strip() == "Linger=yes":
            return None
        return f"It runs while you are logged in; `loginctl enable-linger {user}` keeps it running without."


def _call(*words: str) -> Call:
    return Call(("systemctl", "--user", *words))


def _quoted(text: str) -> str:
    """Return one word of a unit file: https://www.freedesktop.org/software/systemd/man/systemd.service.html."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f'"{text}"'
