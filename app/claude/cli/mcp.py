"""An agent's MCP servers, which Claude Code starts: the file that names them, how they are, and their last words."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from app import private_file
from app.agents.agent import McpServer
from app.claude.cli import mcp_start
from app.claude.cli.channel import Channel
from app.errors import CliFailed

# Of the state folder.
FOLDER = "mcp"
# How long the CLI may take to tell how they are.
ANSWER_SECONDS = 30.0
# How often it is asked while they start; the CLI itself gives up after a time, 30 s if nobody sets MCP_TIMEOUT.
ASK_EVERY_SECONDS = 0.1
MAX_WORDS_BYTES = 2000
# What a server has said is dropped when it is more; looked at with each turn.
MAX_LOG_BYTES = 2**20
# A file that has named no server for so long, in seconds, is of a configuration that has changed. It may hold secrets.
MAX_FILE_SECONDS = 86400.0


def remove_old_files(state_dir: Path) -> None:
    """Remove the files in which no process has been told of its servers lately; it does not fail."""
    before = time.time() - MAX_FILE_SECONDS
    for path in (state_dir / FOLDER).glob("*.json"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()


class McpState(NamedTuple):
    """How a server is, in the CLI's words: `connected`, `pending`, `failed` and others; its tools, or what went wrong.

    `words` is the end of what a failed one has said on standard error.
    """

    status: str
    tools: tuple[str, ...]
    error: str
    words: str

    @property
    def connected(self) -> bool:
        """Whether its tools can be called."""
        return self.status == "connected"


class McpServers:
    """The servers of a process; what they say on standard error, and the file that names them, is in `folder`."""

    def __init__(self, servers: tuple[McpServer, ...], folder: Path) -> None:
        self._servers = servers
        self._folder = folder

    @classmethod
    def of(cls, servers: tuple[McpServer, ...], state_dir: Path) -> McpServers | None:
        """Return the servers of a process; None where it has none."""
        return cls(servers, state_dir / FOLDER) if servers else None

    def written(self) -> Path:
        """Write the file that names these servers to the CLI, and return it. Raises CliFailed.

        Only its owner can read it. What is in it would show in the list of processes if it were an argument.
        """
        told = {server.name: self._described(server) for server in self._servers}
        content = msgspec.json.encode({"mcpServers": told})
        path = self._folder / f"{hashlib.sha256(content).hexdigest()[:16]}.json"
        try:
            private_file.replace(path, content)
        except OSError as error:
            raise CliFailed(f"The agent's MCP servers cannot be named: {error.strerror}.", code="cli_error") from None
        return path

    def connected(self, channel: Channel) -> Generator[None]:
        """Wait until the CLI has connected with each; yield after each look. Raises CliFailed where one cannot be."""
        states = yield from self.settled(channel)
        for server in self._servers:
            state = states[server.name]
            if not state.connected:
                error = CliFailed(
                    f"The MCP server {server.name} does not start, or does not answer; this server's log has its last "
                    "words.",
                    code="mcp_server_failed",
                )
                error.add_note(f"mcp={server.name} error={state.error!r} said={state.words!r}")  # for the log
                raise error

    def settled(self, channel: Channel) -> Generator[None, None, dict[str, McpState]]:
        """Wait until each is connected or has failed and return how they are, by name.

        Yield after each look. Raises CliFailed.
        """
        while True:
            told = yield from _status(channel)
            states = {server.name: self._state(server, told.get(server.name, {})) for server in self._servers}
            if all(state.status != "pending" for state in states.values()):
                return states
            channel.read(ASK_EVERY_SECONDS)
            yield

    def _state(self, server: McpServer, told: dict[str, Any]) -> McpState:
        status = str(told.get("status", "unknown"))
        listed = told.get("tools")
        tools = [str(tool.get("name")) for tool in listed if isinstance(tool, dict)] if isinstance(listed, list) else []
        failed = status not in {"connected", "pending"}
        if not failed:
            self._trim(server)
        return McpState(status, tuple(tools), str(told.get("error") or status), self._words(server) if failed else "")

    def _words(self, server: McpServer) -> str:
        """Return the end of what a server has said on standard error."""
        try:
            with self._log(server).open("rb") as said:
                # A server that complains all day may have said a lot.
                said.seek(max(0, os.fstat(said.fileno()).st_size - MAX_WORDS_BYTES))
                return said.read(MAX_WORDS_BYTES).decode(errors="replace").strip()
        except OSError:
            return ""

    def _trim(self, server: McpServer) -> None:
        with contextlib.suppress(OSError):
            log = self._log(server)
            if log.stat().st_size > MAX_LOG_BYTES:
                os.truncate(log, 0)  # it is written at its end, wherever that is

    def _described(self, server: McpServer) -> dict[str, Any]:
        if server.url:
            return {"type": server.type, "url": server.url, "headers": dict(server.headers)}
        # The CLI would give it all of its own environment, the address and the token of its host among it.
        names = ",".join(name for name, _ in server.env)
        starter = ["-I", mcp_start.__file__, str(self._log(server)), names, server.command, *server.args]
        return {"type": "stdio", "command": sys.executable, "args": starter, "env": dict(server.env)}

    def _log(self, server: McpServer) -> Path:
        return self._folder / f"{server.name}.log"


def _status(channel: Channel) -> Generator[None, None, dict[str, dict[str, Any]]]:
    """Return what the CLI says of each MCP server, by its name; yield after each silent tick. Raises CliFailed."""
    reply = yield from channel.request("mcp_status", ANSWER_SECONDS)
    if reply.subtype == "error":
        raise CliFailed("This claude does not tell how its MCP servers are; run `claude update`.", code="cli_version")
    found = reply.payload().get("mcpServers")
    told = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return {str(one.get("name")): one for one in told}
