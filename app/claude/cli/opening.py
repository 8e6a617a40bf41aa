"""What a process is told before the conversation: system prompt, model, options and the client's tools."""

from __future__ import annotations

from typing import Any

import msgspec

from app.claude.cli.lines import control_line
from app.claude.cli.tool_names import given
from app.claude.cli.tools import SERVER, definition, manifest
from app.claude.turn import structured
from app.conversation import Conversation, Options, ToolChoice

# The API takes no smaller `thinking.budget_tokens`, and none that is not smaller than `max_tokens`.
SMALLEST_BUDGET = 1024


def lines(conversation: Conversation, *, manifests: bool = True) -> bytes:
    """Return the control requests that make a fresh process this conversation's.

    With `manifests` it is given the tools' list in advance; without, it asks the tools' server.
    """
    options = conversation.options
    system = "\n\n".join(filter(None, (conversation.system, _instruction(options.tool_choice))))
    start: dict[str, Any] = {"systemPrompt": [system] if system else []}
    beside_own = bool(conversation.own_tools)
    if conversation.offered:
        start["sdkMcpServers"] = [SERVER]
        if manifests:
            start["sdkMcpServerManifests"] = {SERVER: manifest(conversation.offered, whole=beside_own)}
    if (form := _form(options)) is not None:
        start["jsonSchema"] = structured.checked_by_cli(form, alone=beside_own)
    told = control_line("initialize", "initialize", **start)
    if options.thinking:
        told += control_line(
            "thinking", "set_max_thinking_tokens", max_thinking_tokens=None, thinking_display="summarized"
        )
    elif options.max_tokens is not None and options.max_tokens < 2 * SMALLEST_BUDGET:
        # A model that thinks by a budget would get all of `max_tokens` but one for it; newer ones decide by themselves.
        told += control_line("thinking", "set_max_thinking_tokens", max_thinking_tokens=0)
    return told + control_line("settings", "apply_flag_settings", settings=_settings(conversation))


def _form(options: Options) -> dict[str, Any] | None:
    # Where a call must come, the CLI's own tool for the answer's form would only stand in its way.
    return None if options.tool_choice.must_call else options.schema


def _settings(conversation: Conversation) -> dict[str, Any]:
    options = conversation.options
    # Not `set_model`: from 2.1.3xx on it asks the API whether a full name exists, which spends a request, and up to
    # 2.1.197 it leaves a breadcrumb in the prompt.
    settings: dict[str, Any] = {"model": conversation.model}
    if options.effort is not None:
        settings["effortLevel"] = options.effort
    environ: dict[str, str] = {}
    if options.max_tokens is not None:
        environ["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(options.max_tokens)
    if extra := _extra_body(conversation):
        environ["CLAUDE_CODE_EXTRA_BODY"] = msgspec.json.encode(extra).decode()
    if environ:
        settings["env"] = environ
    return settings


def _extra_body(conversation: Conversation) -> dict[str, Any]:
    """Return what is merged into the API request: what the CLI has no setting for, and the tools as they are.

    The CLI's own tools cannot be put there, for they are not known here.
    """
    options = conversation.options
    extra: dict[str, Any] = {}
    if not conversation.own_tools:
        tools = [definition(tool) for tool in conversation.offered]
        if (form := _form(options)) is not None:
            tools.append(structured.tool(form))
        if tools:
            extra["tools"] = tools
    # The API refuses sequences of nothing but white space; those are cut here alone.
    if stop := [text for text in options.stop if text.strip()]:
        extra["stop_sequences"] = stop
    if not options.parallel_tools:
        extra["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    return extra


def _instruction(choice: ToolChoice) -> str:
    # The API cannot force a call while the model thinks, so it is told.
    if not choice.must_call:
        return ""
    which = f"the tool `{given(choice.name)}`" if choice.name else "one of your tools"
    return f"Your next answer must be a call of {which}; text alone is not accepted."
