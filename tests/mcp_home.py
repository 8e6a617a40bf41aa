"""A small MCP server, built with the package `mcp`: over its standard streams, or over HTTP on a port of loopback.

`python mcp_home.py [PORT TRANSPORT]`; with `broken` in the variable HOME_STATE it says a word and ends.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

if os.environ.get("HOME_STATE") == "broken":
    sys.exit("the key in HOME_TOKEN is refused")

from mcp.server.mcpserver import MCPServer

server = MCPServer("home", log_level="ERROR")


@server.tool()
def switch(lamp: str) -> str:
    """Switch a lamp."""
    return f"{lamp} is on now, says {os.environ.get('HOME_STATE', 'nobody')}"


@server.tool()
def surroundings() -> str:
    """Tell what this server can see of its machine."""
    return json.dumps({"environ": dict(os.environ), "folder": str(Path.cwd())})


@server.tool()
def die() -> str:
    """End this server in the midst of the call."""
    os._exit(3)


if len(sys.argv) > 1:
    server.run(sys.argv[2], port=int(sys.argv[1]))
else:
    server.run()
