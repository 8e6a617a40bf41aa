"""What the CLI prints: bytes into lines, and the lines typed.

It prints one JSON object a line and reads the same. Their types are those of the Agent SDK's control protocol
(https://github.com/anthropics/claude-agent-sdk-python), checked against the binary from 2.1.120 to 2.1.330.
Fields that we do not use are not declared, and what is declared may be absent: newer versions add, older ones lack.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app.errors import CliFailed
from app.events import Usage
from app.models import CliModel, Limits

NOT_PROTOCOL = "The claude CLI sent a line that is not its protocol; run `claude update`, or see the log."
# The longest line that is taken, in bytes.
MAX_LINE_BYTES = 64 * 2**20


class LineBuffer:
    """Bytes in, whole lines out, wherever the reads cut them.

    Raises CliFailed when a line grows beyond `limit` bytes.
    """

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their newlines; blank lines are left out."""
        *lines, last = data.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._parts, lines[0]))
            self._parts, self._size = [], 0
        if last:
            self._parts.append(last)
            self._size += len(last)
        if self._size > self._limit:
            raise CliFailed("The claude CLI sent a line that is too long.", code="cli_protocol")
        return [line for line in lines if line.strip()]

    def rest(self) -> list[bytes]:
        """Return the last line if the stream ended without a newline."""
        line = b"".join(self._parts)
        self._parts, self._size = [], 0
        return [line] if line.strip() else []


class Delta(msgspec.Struct):
    """The changing part of a `content_block_delta` or `message_delta`; texts stay encoded."""

    type: str = ""
    text: msgspec.Raw = msgspec.Raw()
    thinking: msgspec.Raw = msgspec.Raw()
    partial_json: msgspec.Raw = msgspec.Raw()
    citation: msgspec.Raw = msgspec.Raw()
    signature: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class ContentBlock(msgspec.Struct):
    """A block of an answer: text, thinking, or the head of a tool call."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw()


class OutputDetails(msgspec.Struct):
    """How many of the output tokens were thinking."""

    thinking_tokens: int | None = None


class UsageLine(msgspec.Struct):
    """Token counts of a message or of a whole turn."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None


class AssistantMessage(msgspec.Struct):
    """An assistant message: the beginning of a streamed one, or a finished block."""

    id: str | None = None
    model: str | None = None
    content: list[ContentBlock] | None = None
    usage: UsageLine | None = None


class ApiEvent(msgspec.Struct):
    """One of the Messages API's stream events, all kinds in one shape because unknown kinds must pass."""

    type: str
    index: int = 0
    delta: Delta | None = None
    content_block: ContentBlock | None = None
    message: AssistantMessage | None = None
    usage: UsageLine | None = None


class StreamEvent(msgspec.Struct, tag="stream_event"):
    """The API's event, passed on; `parent_tool_use_id` is set for a sub-agent's."""

    event: ApiEvent
    parent_tool_use_id: str | None = None


class Assistant(msgspec.Struct, tag="assistant"):
    """A finished block of the answer; `error` marks the CLI's own words about a failure."""

    message: AssistantMessage
    parent_tool_use_id: str | None = None
    error: str | None = None


class User(msgspec.Struct, tag="user"):
    """Results of tools, which are looked at only where they are shown: of any form, since nothing depends on them."""

    message: msgspec.Raw = msgspec.Raw()
    tool_use_result: msgspec.Raw = msgspec.Raw()
    parent_tool_use_id: Any = None


class System(msgspec.Struct, tag="system"):
    """The CLI's state: `init`, `status`, `api_retry` and more."""

    subtype: str = ""
    # Of any type, since there are many subtypes and only api_retry's fields are looked at.
    attempt: Any = None
    error: Any = None
    error_status: Any = None


class RateWindow(msgspec.Struct, rename="camel"):
    """One of the plan's windows: its use from 0 to 1, and its reset in unix seconds."""

    utilization: float | None = None
    resets_at: float | None = None
    status: str | None = None


class RateLimitInfo(msgspec.Struct, rename="camel"):
    """The plan's window that counts now; `resets_at` is in unix seconds, `utilization` from 0 to 1."""

    status: str = ""
    resets_at: float | None = None
    rate_limit_type: str | None = None
    utilization: float | None = None
    is_using_overage: bool | None = None
    overage_status: str | None = None
    overage_in_use: bool | None = None
    unified_windows: dict[str, RateWindow | None] | None = None

    @property
    def beyond(self) -> bool:
        """Whether extra usage pays for what is answered: the plan does not."""
        return bool(self.is_using_overage or self.overage_in_use)

    @property
    def refuses(self) -> bool:
        """Whether the window is used up and nothing else pays for what goes beyond it."""
        paid = self.is_using_overage or self.overage_status in {"allowed", "allowed_warning"}
        return self.status == "rejected" and not paid


class RateLimitEvent(msgspec.Struct, tag="rate_limit_event"):
    """What the API said about the plan's use; only `rejected` is a failure."""

    rate_limit_info: RateLimitInfo


class ModelUse(Limits, frozen=True, rename="camel"):
    """What a process has used of one model in its whole life, other than in a turn's own count."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None

    @property
    def counts(self) -> Usage:
        """The same as events have it."""
        return Usage(
            self.input_tokens or 0,
            self.output_tokens or 0,
            self.cache_read_input_tokens or 0,
            self.cache_creation_input_tokens or 0,
        )


class Result(msgspec.Struct, tag="result", rename={"model_usage": "modelUsage"}):
    """The end of a turn, or the acknowledgement of a history line; `is_error` decides, not `subtype`.

    `usage` is the turn's; `model_usage` and `total_cost_usd`, at list price, are summed over the process's life.
    """

    subtype: str = ""
    is_error: bool = False
    result: str | None = None
    errors: list[str] | None = None
    stop_reason: str | None = None
    api_error_status: int | None = None
    terminal_reason: str | None = None
    usage: UsageLine | None = None
    model_usage: dict[str, ModelUse] | None = None
    total_cost_usd: float | None = None
    structured_output: msgspec.Raw = msgspec.Raw()


class _ModelList(msgspec.Struct):
    models: list[CliModel] | None = None


class ControlReply(msgspec.Struct):
    """Success or error of one control request. What it carries stays encoded: each kind of request has its own."""

    subtype: str = ""
    request_id: str = ""
    error: str | None = None
    response: msgspec.Raw = msgspec.Raw()

    def payload(self) -> dict[str, Any]:
        """Return what it carries, whatever is in it: the CLI documents most of that nowhere. Raises CliFailed."""
        told = self._decoded(Any)
        return told if isinstance(told, dict) else {}

    def models(self) -> tuple[CliModel, ...]:
        """Return the login's models where it tells them. Raises CliFailed where they are out of shape."""
        told: _ModelList | None = self._decoded(_ModelList | None)
        return tuple(told.models or ()) if told is not None else ()

    def _decoded(self, kind: Any) -> Any:
        try:
            return msgspec.json.decode(bytes(self.response) or b"null", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CliFailed(NOT_PROTOCOL, code="cli_protocol") from error


class ControlResponse(msgspec.Struct, tag="control_response"):
    """The answer to one of our control requests."""

    response: ControlReply


class McpMessage(msgspec.Struct):
    """A JSON-RPC message to the tools' server; notifications have no id."""

    method: str = ""
    id: int | str | None = None
    params: dict[str, Any] | None = None


class ControlDemand(msgspec.Struct):
    """What the CLI asks its host for."""

    subtype: str = ""
    message: McpMessage | None = None


class ControlRequest(msgspec.Struct, tag="control_request"):
    """A question of the CLI to us, which it waits to have answered."""

    request_id: str
    request: ControlDemand


Line = StreamEvent | Assistant | User | System | RateLimitEvent | Result | ControlResponse | ControlRequest
KNOWN = frozenset(
    {"stream_event", "assistant", "user", "system", "rate_limit_event", "result", "control_response", "control_request"}
)

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


# As the CLI prints them, the type comes first. Longer lines than this, in bytes, are not looked through for it.
_HEAD = re.compile(rb'\{"type": ?"([a-z_-]{1,50})"')
LONG_LINE_BYTES = 2**20
LOOKED_THROUGH = KNOWN - {"user"}


class _Header(msgspec.Struct):
    type: str


_header_decoder = msgspec.json.Decoder(_Header)


def decode(line: bytes) -> Line | None:
    """Return the typed line, or None for a type this version does not know.

    Raises CliFailed when the line is not JSON, or is a known type out of shape: going on would lose part of an answer.
    """
    if (
        len(line) > LONG_LINE_BYTES
        and (head := _HEAD.match(line)) is not None
        and head[1].decode() not in LOOKED_THROUGH
    ):
        return None  # the rest is not looked at
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            kind = _header_decoder.decode(line).type
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            kind = None
        if kind is not None and kind not in KNOWN:
            return None
        raise CliFailed(NOT_PROTOCOL, code="cli_protocol") from error
