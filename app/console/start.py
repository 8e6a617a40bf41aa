"""The CLI started as the server starts it, up to its answer to `initialize`: no token, no API request."""

from __future__ import annotations

import tempfile
from pathlib import Path

from app.agents.agent import Agent, McpServer, Workplace
from app.claude.cli import command
from app.claude.cli.channel import START_SECONDS, Channel, finished
from app.claude.cli.mcp import McpServers, McpState
from app.claude.cli.process import Process
from app.config import Settings
from app.errors import CliFailed, ProxyError
from app.models import CliModel


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


def mcp_servers(settings: Settings, binary: Path, servers: tuple[McpServer, ...]) -> dict[str, McpState]:
    """Return how each MCP server is when the CLI has tried to start it: no token, no API request. Raises CliFailed."""
    with tempfile.TemporaryDirectory(prefix="claude-max-api-") as folder:
        started = McpServers(servers, Path(folder))
        workplace = Workplace(Agent(name="doctor"), servers=servers)
        argv = command.agent_argv(binary, settings.default_model, workplace, settings, servers=started.written())
        process = Process(argv, command.agent_environment(settings.cli_environ), Path(folder), with_tools=True)
        try:
            _answer(process)
            return finished(started.settled(Channel(process)))
        finally:
            process.close(at_once=True)


def _answer(process: Process) -> tuple[CliModel, ...]:
    channel = Channel(process)
    try:
        reply = finished(channel.request("initialize", START_SECONDS, systemPrompt=[]))
    except CliFailed as error:
        if error.code != "cli_exited":
            raise
        raise CliFailed("The claude CLI ended at its start.", code=error.code) from None
    if reply.subtype == "error":
        raise CliFailed("The claude CLI refuses to be initialized.", code="cli_error")
    return reply.models()
