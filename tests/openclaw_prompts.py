"""System prompts with the skeleton of OpenClaw's, of 2026.9 and of 2026.3; the words are made up.

Each section's text names its header, so that a test can say which of them went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

IDENTITY = "You are a personal assistant running inside OpenClaw."
STABLE = ("<!-- openclaw:attempt:STABLE -->", "<!-- /openclaw:attempt:STABLE -->")
DYNAMIC = ("<!-- openclaw:attempt:DYNAMIC -->", "<!-- /openclaw:attempt:DYNAMIC -->")

STABLE_2026_9 = (
    "## Tooling",
    "### Deferred Tool Schemas",
    "## Tool Call Style",
    "## Execution Bias",
    "## Promised Work",
    "## Safety",
    "## Runtime Context",
    "## OpenClaw Control",
    "## Skills",
    "## Skill Workshop",
    "## Memory Recall",
    "## Model Aliases",
    "## Workspace",
    "## Documentation",
    "## Sandbox",
    "## Bootstrap Pending",
    "## Workspace Files (injected)",
    "## Reasoning Format",
)
DYNAMIC_2026_9 = (
    "## Temporal Context",
    "## Project Memory",
    "## Proactive Sub-Agent Orchestration",
    "## Delegation",
    "## Assistant Output Directives",
    "## Silent Replies",
    "## Authorized Senders",
    "## UI Presentation",
    "## Control UI Embed",
    "## Control UI Side Chat",
    "## Messaging",
    "### message tool",
    "## Collapsible Details",
    "## Voice (TTS)",
    "## Conversation Context",
    "## Reactions",
    "## Runtime",
)
BEFORE_FILES_2026_3 = (
    "## Tooling",
    "## Tool Call Style",
    "## Safety",
    "## OpenClaw CLI Quick Reference",
    "## Skills",
    "## Memory Recall",
    "## OpenClaw Self-Update",
    "## Model Aliases",
    "## Workspace",
    "## Documentation",
    "## Sandbox",
    "## Authorized Senders",
    "## Current Date & Time",
    "## Workspace Files (injected)",
    "## Reply Tags",
    "## Messaging",
    "### message tool",
    "## Voice (TTS)",
    "## Group Chat Context",
    "## Reactions",
    "## Reasoning Format",
)
AFTER_FILES_2026_3 = ("## Silent Replies", "## Heartbeats", "## Runtime")

DROPPED = frozenset(
    {
        "## Tooling",
        "### Deferred Tool Schemas",
        "## Tool Call Style",
        "## OpenClaw CLI Quick Reference",
        "## OpenClaw Self-Update",
        "## OpenClaw Control",
        "## Skill Workshop",
        "## Delegation",
        "## Proactive Sub-Agent Orchestration",
        "## UI Presentation",
        "## Control UI Embed",
        "## Control UI Side Chat",
        "### message tool",
    }
)

WORKSPACE = "/home/user/.openclaw/workspace"
FILES = {
    f"{WORKSPACE}/AGENTS.md": "# AGENTS.md\n\n## Tooling\n\nWe use make.\n\n```sh\n## Tool Call Style\nls\n```",
    f"{WORKSPACE}/SOUL.md": "# SOUL.md\n\n### message tool\n\nCalm, curious.",
}


def section(header: str, text: str | None = None) -> str:
    """Return a section whose text names its header, or holds the one given."""
    return f"{header}\nWords about {header.strip('# ')}.\n- `tool` and more" if text is None else f"{header}\n{text}"


def project_context(files: Mapping[str, str]) -> str:
    """Return the part with the user's own files."""
    blocks = [f"## {path}\n{text}" for path, text in files.items()]
    return "\n".join(["# Project Context", "Loaded project context:", *blocks])


def prompt_2026_9(files: Mapping[str, str] | None = None, texts: Mapping[str, str] | None = None) -> str:
    """Return a prompt of 2026.9 with all sections; `texts` replaces the texts under some headers."""
    stable = [IDENTITY, *_sections(STABLE_2026_9, texts), project_context(FILES if files is None else files)]
    dynamic = _sections(DYNAMIC_2026_9, texts)
    return "\n".join([STABLE[0], *stable, STABLE[1], DYNAMIC[0], *dynamic, DYNAMIC[1]])


def prompt_2026_3(files: Mapping[str, str] | None = None, texts: Mapping[str, str] | None = None) -> str:
    """Return a prompt of 2026.3: no envelope, other sections, and some of them behind the files."""
    before = _sections(BEFORE_FILES_2026_3, texts)
    after = _sections(AFTER_FILES_2026_3, texts)
    return "\n".join([IDENTITY, *before, project_context(FILES if files is None else files), *after])


def _sections(headers: Sequence[str], texts: Mapping[str, str] | None) -> list[str]:
    return [section(header, (texts or {}).get(header)) for header in headers]
