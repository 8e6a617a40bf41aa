"""Where a run happens: temporary homes, a stand-in API of known delay, servers of different settings."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import hermetic
import proven
from server import Server

from app.claude.cli.proofs import Proofs
from app.standin import Reply, StandIn, Text, ToolUse

FAST = Path(__file__).parent / "fast_claude.py"
PIECES = ("One ", "two ", "three.")


def reply(body: dict[str, Any]) -> Reply:
    """Answer at once, with a call where there are tools and no result yet."""
    last = body["messages"][-1]["content"]
    answered = isinstance(last, list) and any(block["type"] == "tool_result" for block in last)
    if any(tool["name"] == "look" for tool in body.get("tools", ())) and not answered:
        return Reply((Text("I look. "), ToolUse("look", {})))
    return Reply((Text(PIECES),))


class Place(contextlib.ExitStack):
    """Everything one run needs; leave it to end all of it."""

    def __init__(self) -> None:
        super().__init__()
        package = importlib.util.find_spec("claude_agent_sdk")
        assert package is not None and package.origin is not None, "pip install '.[test]' brings the CLI"
        self.claude = Path(package.origin).parent / "_bundled" / "claude"
        self.api = self.enter_context(StandIn(reply=reply))
        # A process that has just ended may have left a file while the others were removed.
        folder = tempfile.TemporaryDirectory(prefix="claude-max-bench-", ignore_cleanup_errors=True)
        self.folder = Path(self.enter_context(folder))

    def home(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))

    def env(self) -> dict[str, str]:
        """Return the environment of a CLI that only knows the stand-in."""
        environ = hermetic.environment(self.home(), self.api.url)
        return {name: value for name, value in environ.items() if not name.startswith(("CLAUDE_PROXY", "LOG"))}

    def version(self) -> str:
        """Return the version of the real CLI."""
        shown = subprocess.run([self.claude, "--version"], env=self.env(), capture_output=True, text=True, check=True)
        return shown.stdout.split()[0]

    def server(self, claude: Path | None = None, argv: tuple[str, ...] = (), **env: str) -> Server:
        """Start a server, by default with the real CLI."""
        home = self.home()
        environ = hermetic.environment(home, self.api.url, CLAUDE_BIN=str(claude or self.claude), **env)
        known = proven.pretended(claude) if claude else proven.real(self.claude, self.folder)
        Proofs(Path(environ["CLAUDE_PROXY_STATE_DIR"])).keep(known)
        server = Server(environ, home / "server.log", argv)
        self.callback(server.kill)
        return server.wait(60)
