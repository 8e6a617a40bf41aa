"""The lines the CLI prints, typed.

It prints one JSON object a line and reads the same. Their types are those of the Agent SDK's control protocol
(https://github.com/anthropics/claude-agent-sdk-python), checked against the binary from 2.1.120 to 2.1.330.
Fields that we do not use are not declared, and what is declared may be absent: newer versions add, older ones lack.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app.errors import CliFailed
from app.models import CliModel, Limits


class Delta(msgspec.Struct):
    """The changing part of a `content_block_delta` or `message_delta`; texts stay encoded."""

    type: str = ""
    text: msgspec.Raw = msgspec.Raw()
    thinking: msgspec.Raw = msgspec.Raw()
    partial_json: msgspec.Raw = msgspec.Raw()
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


class Message(msgspec.Struct):
    """An assistant message: the opening of a streamed one, or a finished block."""

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
    message: Message | None = None
    usage: UsageLine | None = None


class StreamEvent(msgspec.Struct, tag="stream_event"):
    """The API's event, passed on; `parent_tool_use_id` is set for a sub-agent's."""

    event: ApiEvent
    parent_tool_use_id: str | None = None


class Assistant(msgspec.Struct, tag="assistant"):
    """A finished block of the answer; `error` marks the CLI's own words about a failure."""

    message: Message
    parent_tool_use_id: str | None = None
    error: str | None = None


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
    unified_windows: dict[str, RateWindow | None] | None = None

    @property
    def refuses(self) -> bool:
        """Whether the window is used up and nothing else pays for what goes beyond it."""
        paid = self.is_using_overage or self.overage_status in {"allowed", "allowed_warning"}
        return self.status == "rejected" and not paid


class RateLimitEvent(msgspec.Struct, tag="rate_limit_event"):
    """What the API said about the plan's use; only `rejected` is a failure."""

    rate_limit_info: RateLimitInfo


class Result(msgspec.Struct, tag="result", rename={"model_usage": "modelUsage"}):
    """The end of a turn, or the acknowledgement of a history line; `is_error` decides, not `subtype`."""

    subtype: str = ""
    is_error: bool = False
    num_turns: int = 0
    result: str | None = None
    errors: list[str] | None = None
    stop_reason: str | None = None
    api_error_status: int | None = None
    usage: UsageLine | None = None
    model_usage: dict[str, Limits] | None = None
    structured_output: msgspec.Raw = msgspec.Raw()


class ControlPayload(msgspec.Struct):
    """What an answer to a control request carries, as far as we use it."""

    models: list[CliModel] | None = None
    # Of any shape: the CLI calls the one experimental, and documents the other nowhere.
    rate_limits: Any = None
    rewound: Any = None
    target_message_uuid: Any = msgspec.field(default=None, name="targetMessageUuid")


class ControlReply(msgspec.Struct):
    """Success or error of one control request."""

    subtype: str = ""
    request_id: str = ""
    error: str | None = None
    response: ControlPayload | None = None


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


Line = StreamEvent | Assistant | System | RateLimitEvent | Result | ControlResponse | ControlRequest
KNOWN = frozenset(
    {"stream_event", "assistant", "system", "rate_limit_event", "result", "control_response", "control_request"}
)

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


# As the CLI prints them, the type comes first. Longer lines than this, in bytes, are not looked through for it.
_HEAD = re.compile(rb'\{"type": ?"([a-z_-]{1,50})"')
LONG = 2**20


class _Header(msgspec.Struct):
    type: str


_header_decoder = msgspec.json.Decoder(_Header)


def decode(line: bytes) -> Line | None:
    """Return the typed line, or None for a type this version does not know.

    Raises CliFailed when the line is not JSON, or is a known type out of shape: going on would lose part of an answer.
    """
    if len(line) > LONG and (head := _HEAD.match(line)) is not None and head[1].decode() not in KNOWN:
        return None  # without a look at the rest of it
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            kind = _header_decoder.decode(line).type
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            kind = None
        if kind is not None and kind not in KNOWN:
            return None
        raise CliFailed(
            "The claude CLI sent a line that is not its protocol; run `claude update`, or see the log.",
            code="cli_protocol",
        ) from error
