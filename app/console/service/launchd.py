"""The service on macOS: a LaunchAgent, driven by launchctl(1)."""

from __future__ import annotations

import plistlib
import re
from pathlib import Path

from app.console.machine import Machine, Ran
from app.console.service.installation import Installation, shown
from app.console.service.state import ServiceState
from app.console.service.steps import Call, Gone, Remove, Step, Write

LABEL = "com.openclaw.claude-max-proxy"
# A link to the template in the folder `launchd`; a built package holds a copy.
TEMPLATE = Path(__file__).with_name(f"{LABEL}.plist")
IO_ERROR = "5: Input/output error"
NO_SESSION = re.compile(r"Could not find domain|Domain does not support|: 125:|Not privileged")


class LaunchAgent:
    """The agent of this user. Its domain exists while the user is logged in at the Mac's screen."""

    name = LABEL

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._domain = f"gui/{machine.uid}"
        self._target = f"{self._domain}/{LABEL}"
        self._log = machine.home / "Library" / "Logs" / "claude-max-proxy.log"
        self.file = machine.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    def content(self, installation: Installation, *, hide: bool = False) -> bytes:
        """Return the property list; `hide` puts asterisks in place of secrets."""
        text = TEMPLATE.read_text()
        agent = plistlib.loads(text.encode())
        agent["ProgramArguments"] = installation.words
        for key in ("StandardOutPath", "StandardErrorPath"):
            agent[key] = agent[key].replace("@HOME@", str(self._machine.home))
        environ = {
            **agent["EnvironmentVariables"],
            "HOME": str(self._machine.home),
            "PATH": installation.path,
            "LOG_FILE": str(self._log),
        }
        carried = {name: shown(name, value) if hide else value for name, value in installation.environ.items()}
        agent["EnvironmentVariables"] = {**environ, **carried}
        return plistlib.dumps(agent, sort_keys=False)

    def install(self, installation: Installation, *, upgrade: bool) -> list[Step]:
        """Return the steps; launchd reads a property list only when it is loaded, so an old one goes first."""
        written = Write(
            self.file, self.content(installation), self.content(installation, hide=True).decode(errors="replace")
        )
        return [*(self._out() if upgrade else ()), written, *self._bootstrap()]

    def uninstall(self) -> list[Step]:
        """Return the steps that leave neither agent nor log."""
        return [*self._out(), Remove(self.file), Remove(self._log), Remove(self._log.with_name(f"{self._log.name}.1"))]

    def start(self, state: ServiceState) -> list[Step]:
        """Return the steps that start it, without a restart if it runs."""
        return [Call(("launchctl", "kickstart", self._target))] if state.loaded else self._bootstrap()

    def stop(self) -> list[Step]:
        """Return the steps that end it until the next login; a merely killed one would be started again."""
        return self._out()

    def restart(self, state: ServiceState) -> list[Step]:
        """Return the steps that start it anew."""
        return [Call(("launchctl", "kickstart", "-k", self._target))] if state.loaded else self._bootstrap()

    def logs(self, *, follow: bool) -> list[str]:
        """Return the command that shows the log."""
        return ["tail", "-n", "200", *(["-F"] if follow else []), str(self._log)]

    def state(self) -> ServiceState:
        """Ask launchd."""
        call = Call(self._print())
        ran = self._machine.run(call.argv)
        if ran.code == 127 or NO_SESSION.search(ran.output):  # noqa: PLR2004 - the shell's number for a missing command
            return ServiceState.unknown(self.file.is_file(), self.sentence(call, ran))
        pid = re.search(r"^\s*pid = (\d+)", ran.output, re.MULTILINE)
        last = re.search(r"last exit code = (.+)", ran.output)
        return ServiceState(
            installed=self.file.is_file(),
            loaded=ran.code == 0,
            pid=int(pid[1]) if ran.code == 0 and pid else None,
            note=f"last exit code {last[1].strip()}" if ran.code == 0 and last else "",
        )

    def sentence(self, call: Call, ran: Ran) -> str:
        """Return what went wrong, and what to do about it."""
        said = f"`{' '.join(call.argv)}` failed ({ran.code}): {ran.output or 'no output'}"
        if NO_SESSION.search(ran.output):
            return f"{said}\nLog in at this Mac's screen as {self._machine.user} first: agents live in that session."
        if IO_ERROR in ran.output:
            return (
                f"{said}\nlaunchd says no more than that. Most often the agent is loaded already, or disabled "
                f"(`launchctl print-disabled {self._domain}` lists it): `launchctl bootout {self._target}`, then "
                "`claude-max-api service install` again; `claude-max-api service logs` has what it said itself."
            )
        return f"{said}\n`launchctl print {self._target}` and `claude-max-api service logs` may tell why."

    def hint(self) -> str | None:
        """Return what else the user should know."""
        return None

    def _print(self) -> tuple[str, ...]:
        return ("launchctl", "print", self._target)

    def _bootstrap(self) -> list[Step]:
        # What was disabled once stays so, also when its file is new, and then cannot be loaded.
        enable = Call(("launchctl", "enable", self._target))
        return [enable, Call(("launchctl", "bootstrap", self._domain, str(self.file)))]

    def _out(self) -> list[Step]:
        # It fails where nothing is loaded, and returns before the end of a server that still answers.
        return [Call(("launchctl", "bootout", self._target), may_fail=True), Gone(self._print())]
