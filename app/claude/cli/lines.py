"""Bytes into lines, and the lines we write to the CLI."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app import paced_json
from app.claude.cli.tool_ids import native
from app.conversation import Block, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock
from app.errors import CliFailed

MAX_LINE = 64 * 2**20

# As in <local-command-stdout> or <system-reminder>: all of the CLI's own marks have a hyphen, or are this one.
OWN_MARK = re.compile(r"</?(?:[a-z]+-[a-z-]+|tick)[ />]")

_encoder = msgspec.json.Encoder()


class LineBuffer:
    """Bytes in, whole lines out, wherever the reads cut them.

    Raises CliFailed when a line grows beyond `limit` bytes.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their newlines; blank lines are left out."""
        head, newline, rest = data.partition(b"\n")
        if not newline:
            self._keep(data)
            return []
        lines = [b"".join((*self._parts, head)), *rest.split(b"\n")]
        self._parts, self._size = [], 0
        self._keep(lines.pop())
        return [line for line in lines if line.strip()]

    def rest(self) -> list[bytes]:
        """Return the last line if the stream ended without a newline."""
        line = b"".join(self._parts)
        self._parts, self._size = [], 0
        return [line] if line.strip() else []

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise CliFailed("The claude CLI sent a line that is too long.", code="cli_protocol")
        if part:
            self._parts.append(part)


def control_line(request_id: str, subtype: str, **fields: Any) -> bytes:
    """Return the line of a control request."""
    request = {"subtype": subtype, **fields}
    return _line({"type": "control_request", "request_id": request_id, "request": request})


def control_reply(request_id: str, *, response: dict[str, Any] | None = None, error: str | None = None) -> bytes:
    """Return the answer to a control request of the CLI."""
    reply: dict[str, Any] = {"subtype": "success" if error is None else "error", "request_id": request_id}
    reply |= {"response": response} if error is None else {"error": error}
    return _line({"type": "control_response", "response": reply})


def user_line(content: tuple[Block, ...], *, ask: bool, composed: bool, uuid: str | None = None) -> bytes:
    r"""Return a user turn; without `ask` it is history, acknowledged but not answered. A `uuid` names it.

    Text whose last block starts with a slash would run as a command of the CLI. `composed` marks it as a client's own
    words, which versions from 2.1.260 on leave alone; older ones need a newline in front (`composed` False).
    """
    blocks = _native(content)
    last = blocks[-1]
    if not composed and isinstance(last, TextBlock) and last.text.startswith("/"):
        blocks[-1] = TextBlock("\n" + last.text)
    line: dict[str, Any] = {
        "type": "user",
        "message": {"role": "user", "content": msgspec.Raw(paced_json.encoded(blocks))},
        "parent_tool_use_id": None,
    }
    if composed:
        line["client_composed"] = True
    if not ask:
        line["shouldQuery"] = False
    if uuid is not None:
        line["uuid"] = uuid
    return _line(line)


def is_quick(text: str) -> bool:
    """Tell whether a text may go as a `quick_user_line`: where it looks like the CLI's own words that may drop it."""
    return OWN_MARK.search(text) is None


def quick_user_line(text: str) -> bytes:
    """Return a user turn of the history that the CLI takes at once and without a word, as it takes an assistant turn.

    It is how the CLI is told what a command of its own had said in a conversation that goes on (2.1.260 to 2.1.332); it
    goes to the API as the user's words, unchanged. One cannot go back to before it.
    """
    message = {"role": "assistant", "content": []}
    return _line(
        {
            "type": "assistant",
            "message": message,
            "parent_tool_use_id": None,
            "is_meta": True,
            "local_command_source": text,
        }
    )


def assistant_line(content: tuple[Block, ...], message_id: str, model: str) -> bytes:
    """Return an assistant turn of the history; the CLI takes it without a word.

    Up to 2.1.197 the CLI joins assistant turns of one id, a missing one included, whatever stands between them.
    Thinking it hands on only where it is by the `model` that is asked, told by its full name.
    """
    message: dict[str, Any] = {
        "id": message_id,
        "role": "assistant",
        "content": msgspec.Raw(paced_json.encoded(_native(content))),
    }
    if any(isinstance(block, ThinkingBlock | RedactedThinkingBlock) for block in content):
        message["model"] = model
    return _line({"type": "assistant", "message": message, "parent_tool_use_id": None})


def _native(content: tuple[Block, ...]) -> list[Block]:
    blocks: list[Block] = []
    for block in content:
        if isinstance(block, ToolUseBlock):
            blocks.append(msgspec.structs.replace(block, id=native(block.id)))
        elif isinstance(block, ToolResultBlock):
            blocks.append(msgspec.structs.replace(block, tool_use_id=native(block.tool_use_id)))
        else:
            blocks.append(block)
    return blocks


def _line(value: dict[str, Any]) -> bytes:
    return _encoder.encode(value) + b"\n"
