"""The CLI started as the server starts it, up to its answer to `initialize`: no token, no API request."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from app.claude.cli import command
from app.claude.cli.lines import control_line
from app.claude.cli.process import Process
from app.claude.cli.protocol import ControlResponse, decode
from app.config import Settings
from app.errors import CliFailed, ProxyError
from app.models import CliModel

START_TIMEOUT = 30.0


def initialize(settings: Settings, binary: Path) -> tuple[CliModel, ...]:
    """Return the models that the CLI says this login may use.

    Raises CliFailed when it does not start or does not speak the protocol; the text ends with its own last line.
    """
    # Its own folder, as a chat has; it must not see, or be seen by, a server that runs.
    with tempfile.TemporaryDirectory(prefix="claude-max-api-") as folder:
        argv = command.argv(binary, settings.default_model)
        process = Process(argv, command.environment(settings.cli_environ), Path(folder))
        try:
            return _answer(process)
        except ProxyError as error:
            process.close(at_once=True)  # all of its words are there only then
            last = process.stderr_tail.splitlines()[-1:]
            said = f" It said: {last[0][:200]}" if last else ""
            raise CliFailed(f"{error.message}{said}", code=error.code) from None
        finally:
            process.close(at_once=True)


def _answer(process: Process) -> tuple[CliModel, ...]:
    deadline = time.monotonic() + START_TIMEOUT
    try:
        process.write(control_line("initialize", "initialize", systemPrompt=[]), START_TIMEOUT)
        while time.monotonic() < deadline:
            for line in map(decode, process.read(1.0)):
                if isinstance(line, ControlResponse):
                    return _models(line)
    except CliFailed as error:
        if error.code != "cli_exited":
            raise
        raise CliFailed("The claude CLI ended at its start.", code=error.code) from None
    raise CliFailed(f"The claude CLI did not get ready within {START_TIMEOUT:.0f} s.", code="cli_exited")


def _models(line: ControlResponse) -> tuple[CliModel, ...]:
    if line.response.subtype == "error":
        raise CliFailed("The claude CLI refuses to be initialized.", code="cli_error")
    return tuple(line.response.response.models or ()) if line.response.response else ()
