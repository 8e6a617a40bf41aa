"""The lines we write to the CLI: requests and answers on the control channel, and the messages of a conversation."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app import paced_json
from app.claude.cli.tool_names import native_id, with_ids
from app.conversation import Block, RedactedThinkingBlock, TextBlock, ThinkingBlock
from app.event_loop import pause

# As in <local-command-stdout> or <system-reminder>: all of the CLI's own marks have a hyphen, or are this one.
OWN_MARK = re.compile(r"</?(?:[a-z]+-[a-z-]+|tick)[ />]")

_lines = msgspec.json.Encoder().encode_lines  # newline-delimited


def control_line(request_id: str, subtype: str, **fields: Any) -> bytes:
    """Return the line of a control request."""
    request = {"subtype": subtype, **fields}
    return _lines([{"type": "control_request", "request_id": request_id, "request": request}])


def control_reply(request_id: str, *, response: dict[str, Any] | None = None, error: str | None = None) -> bytes:
    """Return the answer to a control request of the CLI."""
    reply: dict[str, Any] = {"subtype": "success" if error is None else "error", "request_id": request_id}
    reply |= {"response": response} if error is None else {"error": error}
    return _lines([{"type": "control_response", "response": reply}])


def user_line(content: tuple[Block, ...], *, ask: bool, composed: bool, uuid: str | None = None) -> bytes:
    r"""Return a user message; without `ask` it is history, acknowledged but not answered. A `uuid` names it.

    Text whose last block starts with a slash would run as a command of the CLI. `composed` marks it as a client's own
    words, which versions from 2.1.260 on leave alone; older ones need a newline in front (`composed` False).
    """
    blocks = with_ids(content, native_id)
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
    pause()  # a long text is copied once more
    return _lines([line])


def is_quick(text: str) -> bool:
    """Tell whether a text may go as a `quick_user_line`. The CLI may drop one that looks like its own words."""
    return OWN_MARK.search(text) is None


def quick_user_line(text: str) -> bytes:
    """Return a user message of the history that the CLI takes without an answer, as it takes an assistant message.

    It is how the CLI is told what a command of its own had said in a conversation that goes on (2.1.260 to 2.1.332); it
    goes to the API as the user's words, unchanged. One cannot go back to before it.
    """
    message = {"role": "assistant", "content": []}
    line = {"type": "assistant", "message": message, "parent_tool_use_id": None}
    return _lines([line | {"is_meta": True, "local_command_source": text}])


def assistant_line(content: tuple[Block, ...], message_id: str, model: str) -> bytes:
    """Return an assistant message of the history; the CLI takes it without an answer.

    Up to 2.1.197 the CLI joins assistant messages of one id, a missing one included, whatever stands between them.
    Thinking it hands on only where it is by the `model` that is asked, told by its full name.
    """
    message: dict[str, Any] = {
        "id": message_id,
        "role": "assistant",
        "content": msgspec.Raw(paced_json.encoded(with_ids(content, native_id))),
    }
    if any(isinstance(block, ThinkingBlock | RedactedThinkingBlock) for block in content):
        message["model"] = model
    return _lines([{"type": "assistant", "message": message, "parent_tool_use_id": None}])
