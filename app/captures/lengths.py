"""Texts, replaced by their lengths: what is left of JSON is the protocol's, and nothing of what was said.

Names and values stay where they are among the words of this module, and everything else goes: a text becomes its length
and a number by which an equal one is known, and what a client made up itself (a tool's input, a schema) keeps its
shape alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from app import errors

# The fields of the wire formats, of the CLI's lines, and of this program's own notes.
FIELDS = frozenset(
    """
    aborted account additionalProperties agents allOf annotation annotation_index annotations answered anyOf
    api_error api_error_status
    api_error_type api_message_id apiKeySource apiProvider apiUsage array at attempt autoCompactThreshold
    available_output_styles best_of budget_tokens by_type cache_control cache_creation cache_creation_input_tokens
    cache_read_input_tokens cache_read_tokens cache_write_tokens cacheCreationInputTokens cached_tokens
    cacheReadInputTokens call_id cancelled canonicalModel capabilities categories choices citation citations
    CLAUDE_CODE_EXTRA_BODY CLAUDE_CODE_MAX_OUTPUT_TOKENS claude_code_version client_composed code command_uuid
    commands completed completed_at completion_tokens completion_tokens_details const content content_block contents
    context_length context_management contextWindow costUSD created created_at current_permission_mode cwd data
    default delta description details diagnostics disable_parallel_tool_use display display_name displayName dollars
    done done_reason duration_api_ms duration_ms echo effort effortLevel embeddings end_index encrypted_content enum env
    ephemeral_1h_input_tokens ephemeral_5m_input_tokens error error_status errors estimated_tokens
    estimated_tokens_delta eval_count eval_duration event extra_usage fast_mode_state file file_data file_id
    finish_reason first_content_frame_ms five_hour form format frequency_penalty function function_call functions
    generation headers heartbeats hook_on_failure_supported id image_url images include include_usage
    incomplete_details index inference_geo input input_audio input_schema input_tokens input_tokens_details
    inputSchema inputTokens instructions interrupted is_error isMeta isSynthetic isUsingOverage item item_id items
    iterations json_schema jsonrpc jsonSchema keep_alive key last_request last_seen_user_message_uuid left_out
    lifecycle load_duration logit_bias logprobs max_completion_tokens max_output_tokens max_retries
    max_thinking_tokens max_tokens maximum maxLength maxOutputTokens maxTokens mcp_response mcp_servers media_type
    memory_paths message message_id messageBreakdown messages metadata method minimum minLength modalities mode model
    models modelUsage ms n name num_ctx num_predict num_turns object oneOf options output output_config output_format
    output_index output_style output_text output_tokens output_tokens_details outputTokens overageDisabledReason
    overageInUse overageStatus owed_rows parallel_tool_calls param parameters params parent_message_id
    parent_tool_use_id partial_json path percentage permission_decision permission_denials permissionMode pid plugins
    presence_penalty previous_response_id process program prompt prompt_cache_key prompt_eval_count
    prompt_eval_duration prompt_tokens prompt_tokens_details properties python queued_ms queued_turn_count
    rate_limit_info rateLimitType rawMaxTokens reason reasoning reasoning_content reasoning_effort reasoning_tokens
    refusal request request_id request_sent_wall_ms required resetsAt resolvedModel response response_format result
    result_index retry_delay_ms rewound role route running safety_stops schema sdkMcpServerManifests sdkMcpServers
    seed sequence_number server_name server_tool_use service_tier session_id session_state settings seven_day
    shouldQuery signature skills slash_commands source speed status still_queued start_index stop stop_details
    stop_reason
    stop_sequence stop_sequences store stream stream_options streams strict structured_output subscriptionType subtype
    suffix summary summary_index supportedEffortLevels supportsAdaptiveThinking supportsAutoMode supportsEffort
    supportsFastMode supportsThinkingOff surpassedThreshold system systemPrompt target_message_uuid targetMessageUuid
    temperature terminal_reason text think thinking thinking_display thinking_duration_ms thinking_tokens
    time_to_request_ms timestamp title tokens tokenSource tool_call_id tool_calls tool_choice tool_name
    tool_result_meta tool_use_id tool_use_meta tool_use_result tools top_k top_logprobs top_p total_cost_usd
    total_duration total_tokens totalTokens truncation ttft_ms ttft_stream_ms turn type ultrathink_available
    unified_windows unifiedWindows unpriced url usage user user_id user_message_uuid user_message_uuids utilization
    url_citation uuid value verbosity version versions web_fetch_requests web_search_requests webSearchRequests
    """.split()
)
# Below these the fields are those of a client, or of a tool.
THEIRS = frozenset(
    """
    arguments CLAUDE_CODE_EXTRA_BODY env function_call input input_schema inputSchema json_schema jsonSchema
    logit_bias metadata parameters params partial_json properties schema sdkMcpServerManifests structured_output
    tool_result_meta tool_use_meta tool_use_result user_id
    """.split()
)
# Fields whose values are words, and these words; whoever sends another one gets its length.
WORDY = frozenset(
    """
    api_error_type apiKeySource cancelled code display done_reason effort effortLevel error fast_mode_state
    finish_reason media_type mode object overageStatus permissionMode rateLimitType reasoning_effort role served
    service_tier speed status stop_reason subtype terminal_reason thinking_display tool_choice truncation type
    verbosity
    """.split()
)
WORDS = frozenset(
    """
    aborted_streaming adaptive allowed allowed_tools allowed_warning any api_error api_retry application/pdf
    apply_flag_settings array assistant authentication_error authentication_failed auto base64 billing_error boolean
    bypassPermissions cancelled chat.completion chat.completion.chunk cold command_lifecycle compacting completed
    citations_delta concise connected content_block_delta content_block_start content_block_stop content_filter
    control_request
    control_response custom default detailed developer disabled document enabled end_turn ephemeral error
    error_during_execution failed file five_hour function function_call function_call_output get_context_usage
    get_usage high image image/gif image/jpeg image/png image/webp image_url in_progress incomplete init initialize
    input_file input_image input_json_delta input_text integer interrupt invalid_request_error item_reference
    json_object json_schema kept length list load low max max_tokens mcp_message medium message message_delta
    message_start message_stop minimal model_context_window_exceeded none null number object off omitted output_text
    overloaded_error parked permission_error ping queued rate_limit_error rate_limit_event reasoning redacted_thinking
    refusal rejected requesting response response.completed response.content_part.added response.content_part.done
    response.created response.failed response.function_call_arguments.delta response.function_call_arguments.done
    response.in_progress response.incomplete response.output_item.added response.output_item.done
    response.output_text.annotation.added response.output_text.delta response.output_text.done
    response.reasoning_summary_part.added
    response.reasoning_summary_part.done response.reasoning_summary_text.delta response.reasoning_summary_text.done
    result reused rewind_conversation rewound set_max_thinking_tokens set_model seven_day signature_delta spare
    standard started status stop stop_sequence stream_event string success summarized summary_text system text
    text_completion text_delta thinking thinking_delta thinking_tokens tool tool_calls tool_result tool_use unload url
    url_citation user xhigh
    """.split()
)
MODEL = re.compile(r"(?:(?:us\.)?anthropic[./])?(?:claude-[a-z0-9.:@-]{1,60}|opus|sonnet|haiku)(?:\[1m\])?")
VERSION = re.compile(r"\d+(?:\.\d+){1,3}")
# A stream's lines: https://html.spec.whatwg.org/multipage/server-sent-events.html
SSE_LINE = re.compile(r"(data|event|id|retry)(: ?)(.*)")
DONE = "[DONE]"


class Lengths:
    """Replaces texts by their lengths; equal texts of one report get equal numbers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._words = WORDS | {error.code for error in _all_errors(errors.ProxyError) if error.code is not None}

    def text(self, text: str) -> str:
        """Return what stands for a text."""
        number = self._numbers.setdefault(text, len(self._numbers) + 1)
        return f"<{len(text)} characters, text {number}>"

    def line(self, line: str) -> Any:
        """Return what stands for a line: a value where it is JSON, or a text where it is none."""
        try:
            return self.value(msgspec.json.decode(line))
        except (msgspec.DecodeError, RecursionError):
            return self.text(line)

    def sent(self, text: str) -> list[Any]:
        """Return what stands for a piece of an answer, line by line: a stream's events, lines of JSON or one object."""
        return [self._sent_line(line) for line in text.split("\n") if line.strip()]

    def value(self, value: Any) -> Any:
        """Return what stands for a value that has come as JSON."""
        try:
            return self._value(value, "", theirs=False)
        except RecursionError:
            return "<nested too deep>"

    def _value(self, value: Any, field: str, *, theirs: bool) -> Any:
        if isinstance(value, dict):
            return dict(self._fields(value, theirs=theirs))
        if isinstance(value, list):
            return [self._value(each, field, theirs=theirs) for each in value]
        if isinstance(value, str):
            return value if self._stays(value, field, theirs=theirs) else self.text(value)
        if theirs and not isinstance(value, bool | None):
            return "<number>"
        return value

    def _fields(self, value: dict[str, Any], *, theirs: bool) -> Iterator[tuple[str, Any]]:
        for name, inner in value.items():
            known = name in FIELDS
            told = name if known else self.text(name)
            yield told, self._value(inner, name, theirs=theirs or not known or name in THEIRS)

    def _stays(self, text: str, field: str, *, theirs: bool) -> bool:
        if field in WORDY and text in self._words:
            return True
        if theirs:
            return False
        if field in {"model", "resolvedModel"}:
            return MODEL.fullmatch(text) is not None
        return field == "claude_code_version" and VERSION.fullmatch(text) is not None

    def _sent_line(self, line: str) -> Any:
        match = SSE_LINE.fullmatch(line)
        if match is None:
            return self.line(line)
        name, _, value = match.groups()
        if name == "data":
            return {"data": value if value == DONE else self.line(value)}
        return {name: value if name == "event" and value in self._words else self.text(value)}


def _all_errors(kind: type[errors.ProxyError]) -> Iterator[type[errors.ProxyError]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _all_errors(sub)
