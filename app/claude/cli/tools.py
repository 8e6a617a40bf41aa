"""The client's tools: as the API gets them, served to the CLI as an MCP server, and the calls that come back.

The CLI cuts, normalises (`㎡` becomes `m2`) and sorts what it is told of an MCP server's tools. So it learns only their
names, and what the API gets is put into the request as it is (`setup`); only beside tools of the CLI's own it
must learn everything. A call is never run on this machine. Protocol: JSON-RPC 2.0 and MCP,
https://modelcontextprotocol.io/specification .
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from app.claude.cli import tool_names
from app.claude.cli.incoming import ContentBlock, ControlRequest, McpMessage
from app.claude.cli.outgoing import control_reply
from app.claude.cli.tool_names import Renaming, ToolNames, plain_id
from app.conversation import TextBlock, ToolDefinition, ToolResultBlock
from app.errors import CliFailed
from app.events import Event, ToolCallDelta, ToolCallStart

SERVER = "client"
# The version in which the CLI (2.1.3xx) takes a server's answers in advance; with another it asks for them itself.
PROTOCOL = "2025-11-25"
METHOD_NOT_FOUND = -32601
# The most the CLI takes as one result without moving it to a file, in characters; undeclared it is 50,000.
MAX_OUTPUT_CHARACTERS = 500_000
# The id of a call that has none: it could not be told which result it wants.
UNNAMED = ""
# How the CLI calls a client's tool where it does not use the plain name.
PREFIX = "mcp__client__"
NO_ARGUMENTS = b'"{}"'
NO_CALL_ID = "The claude CLI called a tool without saying which call it is."


class ToolServer:
    """Answers the CLI's questions about one conversation's tools.

    The CLI calls one tool after the other. A call without a result stays open, and the process waits. `whole` tells
    it more of the tools than their names.
    """

    def __init__(self, tools: tuple[ToolDefinition, ...], *, whole: bool = False) -> None:
        self._tools = tools
        self._whole = whole
        self._open: dict[str, ControlRequest] = {}  # by the call's plain id
        self._results: dict[str, ToolResultBlock] = {}

    def give(self, results: Iterable[ToolResultBlock]) -> bytes:
        """Return the lines that answer the open calls; the other results wait for their calls."""
        self._results = {plain_id(result.tool_use_id): result for result in results}
        if UNNAMED in self._open:
            raise CliFailed(NO_CALL_ID, code="cli_protocol")
        return b"".join(self._answer(call_id) for call_id in list(self._open) if call_id in self._results)

    def forget(self) -> None:
        """Forget the calls that are open, and results that wait: the turn they belong to is undone."""
        self._open.clear()
        self._results.clear()

    def reply(self, line: ControlRequest) -> bytes | None:
        """Return the line that answers a request of the CLI, or None for a call whose result is not there yet."""
        message = line.request.message
        if line.request.subtype != "mcp_message" or message is None:
            return control_reply(line.request_id, error="not supported by this host")
        if message.method == "tools/call":
            call_id = _call_id(message)
            if call_id == UNNAMED and self._results:
                raise CliFailed(NO_CALL_ID, code="cli_protocol")
            self._open[call_id] = line
            return self._answer(call_id) if call_id in self._results else None
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id}
        if message.method == "initialize":
            answer["result"] = _introduction((message.params or {}).get("protocolVersion", PROTOCOL))
        elif message.method == "tools/list":
            answer["result"] = _listing(self._tools, whole=self._whole)
        elif message.method.startswith("notifications/") or message.method == "ping":
            answer["result"] = {}
        else:
            answer["error"] = {"code": METHOD_NOT_FOUND, "message": f"{message.method} is not offered"}
        return control_reply(line.request_id, response={"mcp_response": answer})

    def _answer(self, call_id: str) -> bytes:
        call, result = self._open.pop(call_id), self._results.pop(call_id)
        content = [{"type": "text", "text": block.text} for block in result.content if isinstance(block, TextBlock)]
        number = call.request.message.id if call.request.message is not None else None
        answer = {"jsonrpc": "2.0", "id": number, "result": {"content": content}}
        return control_reply(call.request_id, response={"mcp_response": answer})


class ToolCalls:
    """Follows the tool_use blocks of one turn: the client's calls, the CLI's structured output, invented names.

    `calls` counts those of the client's `tools` in the current message, `ids` are their plain ids, and `foreign` tells
    that the model called something else as well.
    """

    def __init__(self, tools: Sequence[ToolDefinition]) -> None:
        self._tools = tools
        self._open: dict[int, int] = {}  # block index -> call index
        self._renamings: dict[int, Renaming] = {}  # by call index
        self._silent: set[int] = set()  # calls without a piece of arguments so far
        self.calls = 0
        self.ids: list[str] = []
        self.foreign = False

    @functools.cached_property
    def _names(self) -> ToolNames:
        return ToolNames(self._tools)

    def client(self, called: str) -> str | None:
        """Return the client's name of a tool that the model calls; None for one that is not the client's."""
        names = self._names
        # The name as it is comes first: a client's tool may be called as if it had the prefix.
        return names.client(called) or names.client(called.removeprefix(PREFIX))

    def start(self, index: int, block: ContentBlock) -> list[Event]:
        """Return the beginning of a call; nothing for a tool that is not the client's."""
        name = self.client(block.name)
        # If the tool does not exist the CLI answers the call itself, and the turn goes on.
        if name is None:
            self.foreign = True
            return []
        call = self._open[index] = self.calls
        if renaming := self._names.renaming(name):
            self._renamings[call] = renaming
        self._silent.add(call)
        self.calls += 1
        self.ids.append(plain_id(block.id))
        return [ToolCallStart(call, self.ids[-1], name)]

    def delta(self, index: int, partial_json: bytes) -> list[Event]:
        """Return a piece of a call's arguments."""
        call = self._open.get(index)
        if call is None or partial_json == b'""':
            return []
        self._silent.discard(call)
        if call in self._renamings:
            piece = self._renamings[call].feed(msgspec.json.decode(partial_json, type=str))
            return [ToolCallDelta(call, msgspec.json.encode(piece))] if piece else []
        return [ToolCallDelta(call, partial_json)]

    def stop(self, index: int) -> list[Event]:
        """Return what a call still lacks at its end: arguments are never empty."""
        call = self._open.pop(index, None)
        return [ToolCallDelta(call, NO_ARGUMENTS)] if call in self._silent and call is not None else []

    def whole(self, index: int, block: ContentBlock) -> list[Event]:
        """Return a call that came in one piece."""
        events = self.start(index, block)
        if events:
            text = bytes(block.input).decode() or "{}"
            events += self.delta(index, msgspec.json.encode(text))
            self._open.pop(index)
        return events

    def forget(self) -> None:
        """Drop the calls of a message that broke off, or that held none of the client's."""
        self._open.clear()
        self._renamings.clear()
        self._silent.clear()
        self.calls = 0
        self.ids.clear()


def manifest(tools: Sequence[ToolDefinition], *, whole: bool = False) -> dict[str, Any]:
    """Return in advance what a ToolServer answers to `initialize` and `tools/list`: three round trips less."""
    return {"initializeResult": _introduction(PROTOCOL), "toolsListResult": _listing(tools, whole=whole)}


def definition(tool: ToolDefinition) -> dict[str, Any]:
    """Return a tool as the API gets it: what the client offers, but for what the API would refuse."""
    schema, note = tool_names.shown(tool.input_schema)
    described = "\n\n".join(filter(None, (tool.description, note)))
    told: dict[str, Any] = {"name": tool_names.given(tool.name)}
    return told | ({"description": described} if described else {}) | {"input_schema": schema}


def _introduction(version: Any) -> dict[str, Any]:
    return {
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": SERVER, "version": "1"},
    }


def _listing(tools: Sequence[ToolDefinition], *, whole: bool) -> dict[str, Any]:
    return {"tools": [_described(tool, whole=whole) for tool in tools]}


def _described(tool: ToolDefinition, *, whole: bool) -> dict[str, Any]:
    told = definition(tool)
    schema = {"type": "object"}
    if whole:
        # Up to 2.1.120 the CLI takes `true` among the properties for a reason to leave out all tools.
        named = told["input_schema"].get("properties") or {}
        schema = told["input_schema"] | {
            "properties": {name: {} if part is True else part for name, part in named.items()}
        }
    return {
        "name": told["name"],
        "description": told.get("description", "") if whole else "",
        "inputSchema": schema,
        "_meta": {"anthropic/maxResultSizeChars": MAX_OUTPUT_CHARACTERS},
    }


def _call_id(message: McpMessage) -> str:
    about = (message.params or {}).get("_meta")
    call_id = about.get("claudecode/toolUseId") if isinstance(about, dict) else None
    return plain_id(call_id) if isinstance(call_id, str) else UNNAMED
