"""Answers of the real APIs: their keys and the kinds of their values as recorded, the words and numbers made up.

Recorded by pydantic-ai, llm and llm-anthropic in their test suites between May 2025 and September 2026, from
api.openai.com and api.anthropic.com; what a recording lacks is from the types of the SDKs, and says so.
"""

from __future__ import annotations

from typing import Any

CHAT_USAGE: dict[str, Any] = {
    "prompt_tokens": 1,
    "completion_tokens": 1,
    "total_tokens": 2,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
CHAT_SAID = {"role": "assistant", "content": "a", "refusal": None, "annotations": []}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CHAT: list[dict[str, Any]] = [
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": CHAT_USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }
    for message in (CHAT_SAID, {**CHAT_SAID, "content": None, "tool_calls": [CHAT_CALL]})
]
CHAT_DELTAS: list[dict[str, Any]] = [
    {"role": "assistant", "content": "", "refusal": None},
    {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **CHAT_CALL}], "refusal": None},
    {"content": "a"},
    {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
    {},
]
CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "system_fingerprint": "fp_1",
    "usage": None,
    "obfuscation": "a",
}
CHAT_CHUNKS: list[dict[str, Any]] = [
    *(
        {**CHUNK, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
        for delta in CHAT_DELTAS
        for reason in (None, "stop")
    ),
    {**CHUNK, "choices": [], "usage": CHAT_USAGE},
]
# From the types of openai-node, where what may be left out is marked so; there is no chunk of another shape.
COMPLETION: list[dict[str, Any]] = [
    {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "gpt-3.5-turbo-instruct",
        "choices": [{"text": "a", "index": 0, "logprobs": None, "finish_reason": reason}],
        "usage": usage,
        "system_fingerprint": "fp_1",
    }
    for reason in (None, "stop")
    for usage in (None, CHAT_USAGE)
]
COMPLETION.append({**COMPLETION[-1], "choices": []})
OPENAI_ERROR: list[dict[str, Any]] = [
    {"error": {"message": "a", "type": "invalid_request_error", "param": param, "code": code}}
    for param in (None, "temperature")
    for code in (None, "invalid_value")
]
OPENAI_MODELS: list[dict[str, Any]] = [
    {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "system"}]}
]

TEXT_PART = {"type": "output_text", "annotations": [], "logprobs": [], "text": "a"}
MESSAGE_ITEM: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "content": [TEXT_PART],
    "phase": "final_answer",
    "role": "assistant",
}
CALL_ITEM = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "arguments": "{}",
    "call_id": "call_1",
    "name": "look",
}
REASONING_ITEM: dict[str, Any] = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]}
ITEMS = [MESSAGE_ITEM, CALL_ITEM, REASONING_ITEM, {**REASONING_ITEM, "encrypted_content": "a"}]
FUNCTION_TOOL = {"type": "function", "name": "look", "description": "a", "parameters": {}, "strict": True}
RESPONSE_USAGE = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 1,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 2,
}
RESPONSE_BEGUN: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "in_progress",
    "background": False,
    "completed_at": None,
    "error": None,
    "frequency_penalty": 0.0,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "model": "gpt-5.5-2026-04-23",
    "moderation": None,
    "output": [],
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "low", "summary": None},
    "safety_identifier": None,
    "service_tier": "auto",
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [FUNCTION_TOOL],
    "top_logprobs": 0,
    "top_p": 0.98,
    "truncation": "disabled",
    "usage": None,
    "user": None,
    "metadata": {},
}
RESPONSE: list[dict[str, Any]] = [
    {**RESPONSE_BEGUN, "status": "completed", "completed_at": 1, "output": ITEMS, "usage": RESPONSE_USAGE},
    {**RESPONSE_BEGUN, "reasoning": {"effort": None, "summary": "detailed"}},
]
OF_ITEM: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "sequence_number": 1}
OF_TEXT: dict[str, Any] = {**OF_ITEM, "content_index": 0}
OF_SUMMARY: dict[str, Any] = {**OF_ITEM, "summary_index": 0}
RESPONSE_EVENTS: list[dict[str, Any]] = [
    *(
        {"type": f"response.{state}", "response": response, "sequence_number": 0}
        for state in ("created", "in_progress", "completed")
        for response in RESPONSE
    ),
    *(
        {"type": f"response.output_item.{change}", "item": item, "output_index": 0, "sequence_number": 2}
        for change in ("added", "done")
        for item in ITEMS
    ),
    *({"type": f"response.content_part.{change}", "part": TEXT_PART, **OF_TEXT} for change in ("added", "done")),
    {"type": "response.output_text.delta", "delta": "a", "logprobs": [], "obfuscation": "b", **OF_TEXT},
    {"type": "response.output_text.done", "text": "a", "logprobs": [], **OF_TEXT},
    {"type": "response.function_call_arguments.delta", "delta": "a", "obfuscation": "b", **OF_ITEM},
    {"type": "response.function_call_arguments.done", "arguments": "{}", **OF_ITEM},
    *(
        {"type": f"response.reasoning_summary_part.{change}", "part": REASONING_ITEM["summary"][0], **OF_SUMMARY}
        for change in ("added", "done")
    ),
    {"type": "response.reasoning_summary_text.delta", "delta": "a", "obfuscation": "b", **OF_SUMMARY},
    {"type": "response.reasoning_summary_text.done", "text": "a", **OF_SUMMARY},
]

MESSAGE_USAGE: dict[str, Any] = {
    "input_tokens": 1,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 1,
    "output_tokens_details": {"thinking_tokens": 0},
    "service_tier": "standard",
    "inference_geo": "global",
}
# An older API; what it does not say need not be said.
OLD_USAGE = {
    "input_tokens": 1,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 1,
}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": "a"},
    {"type": "thinking", "thinking": "a", "signature": "b"},
    {"type": "redacted_thinking", "data": "a"},
    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
]
MESSAGE: list[dict[str, Any]] = [
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5",
        "content": BLOCKS,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": usage,
    }
    for reason in (None, "end_turn")
    for sequence in (None, "a")
    for usage in (MESSAGE_USAGE, OLD_USAGE)
]
MESSAGE.append({**MESSAGE[0], "stop_details": None})
MESSAGE_DELTA: dict[str, Any] = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 1},
}
MESSAGE_EVENTS: list[dict[str, Any]] = [
    *({"type": "message_start", "message": message} for message in MESSAGE),
    {"type": "ping"},
    *({"type": "content_block_start", "index": 0, "content_block": block} for block in BLOCKS),
    *(
        {"type": "content_block_delta", "index": 0, "delta": delta}
        for delta in (
            {"type": "text_delta", "text": "a"},
            {"type": "thinking_delta", "thinking": "a"},
            {"type": "signature_delta", "signature": "a"},
            {"type": "input_json_delta", "partial_json": ""},
        )
    ),
    {"type": "content_block_stop", "index": 0},
    MESSAGE_DELTA,
    {**MESSAGE_DELTA, "usage": {**OLD_USAGE, "output_tokens_details": {"thinking_tokens": 0}}},
    {"type": "message_stop"},
]
ANTHROPIC_ERROR: list[dict[str, Any]] = [
    {"type": "error", "error": {"type": "not_found_error", "message": "a"}, "request_id": "req_1"}
]
# From the types of the anthropic SDK.
ANTHROPIC_MODELS: list[dict[str, Any]] = [
    {
        "data": [
            {
                "type": "model",
                "id": "claude-opus-5",
                "display_name": "Claude Opus 5",
                "created_at": "2026-01-01T00:00:00Z",
                "lifecycle": "active",
                **limits,
            }
        ],
        "has_more": False,
        "first_id": "a",
        "last_id": "a",
    }
    for limits in ({}, {"max_input_tokens": 1, "max_tokens": 1})
]
