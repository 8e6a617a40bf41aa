"""The set-up of a process, which comes before the conversation: system prompt, model, options, the client's tools."""

from __future__ import annotations

from typing import Any

import msgspec

from app.claude.cli import structured
from app.claude.cli.outgoing import control_line
from app.claude.cli.tool_names import given
from app.claude.cli.tools import SERVER, definition, manifest
from app.conversation import Conversation, Options, ToolChoice

# The API takes no smaller `thinking.budget_tokens`, and none that is not smaller than `max_tokens`.
MIN_THINKING_TOKENS = 1024


def setup_lines(conversation: Conversation, *, manifests: bool = True) -> bytes:
    """Return the control requests that make a fresh process this conversation's.

    With `manifests` it is given the tools' list in advance; without, it asks the tools' server.
    """
    options, beside_own = conversation.options, conversation.workplace is not None
    system = [conversation.system] if conversation.system else []
    if options.tool_choice.must_call:
        system.append(_instruction(options.tool_choice))
    start: dict[str, Any] = {"systemPrompt": ["\n\n".join(system)] if system else []}
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
    elif options.max_tokens is not None and options.max_tokens < 2 * MIN_THINKING_TOKENS:
        # An older model thinks by a budget, and would get all of `max_tokens` but one for it; newer ones need none.
        told += control_line("thinking", "set_max_thinking_tokens", max_thinking_tokens=0)
    return told + control_line("settings", "apply_flag_settings", settings=_settings(conversation))


def tools(conversation: Conversation) -> list[dict[str, Any]]:
    """Return the tools as the API gets to see them: the client's, and the one by which a form is filled in."""
    form = _form(conversation.options)
    offered = [definition(tool) for tool in conversation.offered]
    return offered if form is None else [*offered, structured.tool(form)]


def _form(options: Options) -> dict[str, Any] | None:
    # If a call must come, the CLI's own tool for the answer's form would compete with it.
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
    if conversation.workplace is None and (offered := tools(conversation)):
        extra["tools"] = offered
    # The API refuses sequences of white space only; the parser alone looks for those.
    if stop := [text for text in options.stop if text.strip()]:
        extra["stop_sequences"] = stop
    if not options.parallel_tools:
        extra["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    return extra


def _instruction(choice: ToolChoice) -> str:
    # The API cannot force a call while the model thinks, so the model is told.
    which = f"the tool `{given(choice.name)}`" if choice.name else "one of your tools"
    return f"Your next answer must be a call of {which}; text alone is not accepted."
