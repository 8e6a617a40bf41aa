"""The client's tools, served to the CLI as an MCP server on the control channel.

The CLI learns their names and schemas here; a call is never run on this machine. Protocol: JSON-RPC 2.0 and MCP,
https://modelcontextprotocol.io/specification .
"""

from __future__ import annotations

from typing import Any

from app.claude.lines import control_reply
from app.claude.protocol import ControlRequest
from app.conversation import ToolDefinition

SERVER = "client"
METHOD_NOT_FOUND = -32601


class ToolServer:
    """Answers the CLI's questions about one conversation's tools."""

    def __init__(self, tools: tuple[ToolDefinition, ...]) -> None:
        self._tools = tools

    def reply(self, line: ControlRequest) -> bytes | None:
        """Return the line that answers a request of the CLI, or None for a call: its answer is the client's to give."""
        message = line.request.message
        if line.request.subtype != "mcp_message" or message is None:
            return control_reply(line.request_id, error="not supported by this host")
        if message.method == "tools/call":
            return None
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id}
        if message.method == "initialize":
            answer["result"] = {
                "protocolVersion": (message.params or {}).get("protocolVersion", "2025-06-18"),
                "capabilities": {"tools": {}},
                "serverInfo": {"name": SERVER, "version": "1"},
            }
        elif message.method == "tools/list":
            answer["result"] = {"tools": [_described(tool) for tool in self._tools]}
        elif message.method.startswith("notifications/") or message.method == "ping":
            answer["result"] = {}
        else:
            answer["error"] = {"code": METHOD_NOT_FOUND, "message": f"{message.method} is not offered"}
        return control_reply(line.request_id, response={"mcp_response": answer})


def _described(tool: ToolDefinition) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
