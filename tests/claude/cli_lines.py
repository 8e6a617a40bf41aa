"""What the CLI says, short to write: synthetic lines in the shapes of recorded ones."""

from __future__ import annotations

import json

from app.claude.cli.incoming import decode

SESSION = "6f1a0a52-0000-4000-8000-000000000001"
USAGE = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 5,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
    "server_tool_use": {"web_search_requests": 0},
}


def raw(kind, **fields):
    """Return a line as the CLI prints it, without its newline."""
    return json.dumps({**fields, "type": kind, "session_id": SESSION}, ensure_ascii=False).encode()


def event(kind, parent=None, **fields):
    return raw("stream_event", event={**fields, "type": kind}, parent_tool_use_id=parent, uuid="u-1")


def message_start(msg_id="msg_1", model="claude-sonnet-5-5"):
    message = {"id": msg_id, "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None}
    return event("message_start", message=message)


def block_start(kind="text", index=0):
    return event("content_block_start", index=index, content_block={"type": kind, kind: ""})


def text(value, index=0, parent=None):
    return event("content_block_delta", parent, index=index, delta={"type": "text_delta", "text": value})


def thinking(value):
    return event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": value})


def message_delta(stop_reason="end_turn"):
    return event("message_delta", delta={"stop_reason": stop_reason, "stop_sequence": None}, usage={"output_tokens": 5})


def message_stop():
    return event("message_stop")


def assistant(*texts, msg_id="msg_1", model="claude-sonnet-5-5", parent=None, **fields):
    content = [{"type": "text", "text": value} for value in texts]
    message = {"id": msg_id, "type": "message", "role": "assistant", "model": model, "content": content}
    return raw("assistant", message=message, parent_tool_use_id=parent, **fields)


def own_words(value, error):
    """Return the synthetic assistant line that precedes an error's result."""
    return assistant(value, msg_id="0001", model="<synthetic>", error=error, is_api_error_message=True)


def api_retry(error="overloaded", status=529, attempt=1):
    fields = {"attempt": attempt, "max_retries": 3, "retry_delay_ms": 572, "error_status": status, "error": error}
    return raw("system", subtype="api_retry", **fields)


def rate_limit(status="allowed", **fields):
    return raw("rate_limit_event", rate_limit_info={"status": status, "isUsingOverage": False, **fields})


def result(value="", **fields):
    told = {"subtype": "success", "is_error": False, "num_turns": 1, "result": value, "usage": USAGE, "modelUsage": {}}
    return raw("result", **{**told, **fields})


def failed(value, **fields):
    return result(value, is_error=True, **fields)


def acknowledged():
    return result("", num_turns=0, stop_reason=None)


def control(request_id="initialize", **response):
    return raw("control_response", response={"subtype": "success", "request_id": request_id, **response})


def message(*texts, msg_id="msg_1", stop_reason="end_turn"):
    """Return the lines of one streamed message, a text block for each of `texts`."""
    lines = [message_start(msg_id)]
    for index, value in enumerate(texts):
        lines += [block_start(index=index), text(value, index), event("content_block_stop", index=index)]
    return [*lines, assistant(*texts, msg_id=msg_id), message_delta(stop_reason), message_stop()]


def typed(*lines):
    """Return the lines as the rest of the program sees them, unknown ones left out."""
    return [line for line in map(decode, lines) if line is not None]
