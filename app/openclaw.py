"""OpenClaw's system prompt: telling that it is one, dropping what describes OpenClaw's own tools, naming replacements.

It is for turns in which Claude Code's tools do the work. OpenClaw's prompt is Markdown, made of `## ` sections; in
2026.9 comment marks (an envelope) enclose its stable and its dynamic half. The user's own files stand verbatim behind
`# Project Context`, at the end of the stable half. Where a prompt leaves it open whether a line is OpenClaw's or the
user's, the line is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from app.conversation import Message, TextBlock
from app.event_loop import pause

# The first line of every prompt, in every version and mode that was looked at (2026.3 to 2026.9).
IDENTITY = "You are a personal assistant running inside OpenClaw."

# OpenClaw adds a message on the present state to each request, and takes it out of the next one (2026.9).
PASSING = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"

# For prompts whose first line was changed; two of them are enough. One is not: a prompt of another client may well have
# a section on its tooling, and must not get a shell for it.
TELLING_HEADERS = frozenset(
    {"## Tooling", "## Tool Call Style", "## OpenClaw CLI Quick Reference", "## OpenClaw Self-Update"}
)

# Every known section, in OpenClaw's order; one that is not here is kept. A header ending in * stands for all that begin
# so. A dropped section ends at the next heading of its own level or above.
SECTIONS: dict[str, Literal["keep", "drop"]] = {
    "## Tooling": "drop",
    "## Tool Call Style": "drop",
    "## Execution Bias": "keep",
    "## Promised Work": "keep",
    "## Safety": "keep",
    "## Runtime Context": "keep",
    "## OpenClaw CLI Quick Reference": "drop",  # gone by 2026.6
    "## OpenClaw Control": "drop",
    "## Skills": "keep",
    "## Skill Workshop": "drop",
    "## Memory Recall": "keep",
    "## OpenClaw Self-Update": "drop",  # gone by 2026.8
    "## Model Aliases": "keep",
    "## Workspace": "keep",
    "## Directory Roles": "keep",
    "## Documentation": "keep",
    "## Sandbox": "keep",
    "## Bootstrap Pending": "keep",
    "## Workspace Files (injected)": "keep",
    "## Reply Tags": "keep",  # now Assistant Output Directives
    "## Reasoning Format": "keep",
    "# Project Context": "keep",
    "## Temporal Context": "keep",
    "## Project Memory": "keep",
    "## Proactive Sub-Agent Orchestration": "drop",
    "## Delegation": "drop",
    "## Assistant Output Directives": "keep",
    "## Silent Replies": "keep",
    "## Authorized Senders": "keep",
    "## UI Presentation": "drop",
    "## Control UI *": "drop",
    "## Messaging": "keep",
    "### message tool": "drop",  # a part of Messaging
    "## Collapsible Details": "keep",
    "## Voice (TTS)": "keep",
    "## Conversation Context": "keep",
    "## Group Chat Context": "keep",
    "## Subagent Context": "keep",
    "## Reactions": "keep",
    "## Heartbeats": "keep",
    "## Runtime": "keep",
}

# Under these stands free text with headings of its own, and nothing that is dropped comes after them.
OPEN_ENDED = frozenset({"## Conversation Context", "## Group Chat Context", "## Subagent Context"})

# OpenClaw's tool names (2026.9), the older ones too, and what does the same here.
EQUIVALENTS = (
    ("exec, process, code_execution", "Bash"),
    ("read, view_image, image, pdf", "Read"),
    ("write", "Write"),
    ("edit, apply_patch", "Edit"),
    ("grep", "Grep"),
    ("find, ls", "Glob, or ls through Bash"),
    ("web_search, x_search", "WebSearch"),
    ("web_fetch", "WebFetch"),
    ("goals, progress_card", "your task list: TaskCreate or TodoWrite"),
    ("sessions_spawn, subagents, agents_wait", "Agent (in older versions Task)"),
    ("skills", "Read on the SKILL.md at the skill's <location>; `openclaw skills list --eligible --json`"),
    ("memory_search", '`openclaw memory search "QUERY"`'),
    ("memory_get", "Read on MEMORY.md and memory/*.md"),
    (
        "message (send)",
        '`openclaw message send --channel CHANNEL --target TARGET --message "TEXT" [--media PATH] [--reply-to ID]`',
    ),
    ("message (other actions)", "`openclaw message read|broadcast|react|poll|edit|delete|pin|search`"),
    ("automations, cron", "`openclaw cron add|list|show|edit|enable|disable|rm|run|runs|status`"),
    ("sessions_list", "`openclaw sessions list --json`"),
    ("sessions_history", "`openclaw sessions tail`"),
    ("sessions_send", '`openclaw agent --session-key KEY --message "TEXT"`'),
    ("session_status", "`openclaw status`, and `date` for the time"),
    ("agents_list", "`openclaw agents list`"),
    ("browser", "`openclaw browser open|snapshot|click|fill|navigate`"),
    (
        "gateway, openclaw",
        "`openclaw gateway status|health`; `restart` cuts this session off, so only when asked",
    ),
    ("nodes", "`openclaw nodes status|describe|invoke|notify|camera|screen|location`"),
    ("canvas", "`openclaw nodes canvas`"),
    ("tts, image_generate, video_generate", "`openclaw infer tts|image|video`"),
    ("ask_user, screen, theme, dashboard, portal and any other", "nothing: say in your answer that it is missing"),
)

MAPPING = "\n".join(
    [
        "## Tools of this session",
        "Claude Code's tools do the work in this session; OpenClaw's own tools cannot be called. Where a skill, a file",
        "or another section names one of them, use what stands beside it here. A command in backquotes is run through",
        "Bash, for messages too, whatever another section says about the command line; `--help` shows its options.",
        *(f"- {names} -> {equivalent}" for names, equivalent in EQUIVALENTS),
        "NO_REPLY, HEARTBEAT_OK, MEDIA: lines and [[...]] directives are no tools: write them in your answer, where",
        "OpenClaw reads them.",
    ]
)

_NEWLINES = " \t\r\n"
_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # not splitlines(), which breaks at form feeds and U+2028 too
_HEADING = re.compile(r"(#{1,6}) ")
_FIRST_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
_MARK = re.compile(r"<!-- /?openclaw:attempt:[A-Z]+ -->")
_STABLE_OPENS = re.compile(r"^<!-- openclaw:attempt:STABLE -->[ \t\r]*$", re.MULTILINE)
_STABLE_CLOSES = re.compile(r"^<!-- /openclaw:attempt:STABLE -->[ \t\r]*$", re.MULTILINE)
_FILES = re.compile(r"^# Project Context[ \t\r]*$", re.MULTILINE)
# Longer runs are no fences, so that the search for their ends stays linear in the length of any text.
_FENCE = re.compile(r" {0,3}(?:(`{3,16})[^`]*|(~{3,16}).*)")
_SKILLS = "<available_skills>"


# No prompt is longer (60 kB were seen, with the user's files at most 200), and looking through it takes time.
MAX_CHARACTERS = 2_000_000
MAX_LINES = 20_000


def detect(system: str) -> bool:
    """Tell whether a system prompt is OpenClaw's: by its first line, or by two headers of its tooling sections.

    Neither counts further down: in the user's files, in fenced code, or (the line) below a heading.
    """
    if len(system) > MAX_CHARACTERS or system.count("\n") > MAX_LINES:
        return False
    # Most prompts are another client's, which shows without a look at their lines.
    if IDENTITY not in system and not any(header in system for header in TELLING_HEADERS):
        return False
    if any(line.startswith(IDENTITY) for line in _preamble(system).split("\n")):
        return True
    head, _, _ = _parts(system)
    return len({bare for _, bare in _lines(head) if bare in TELLING_HEADERS}) > 1


def is_passing(question: Message) -> bool:
    """Tell whether a question ends in words that OpenClaw takes back: the next request does not go on from it."""
    last = question.content[-1]
    return isinstance(last, TextBlock) and last.text.startswith(PASSING)


def strip(system: str) -> str:
    """Return the prompt without the sections that the table drops; every other byte stays. Twice is as good as once."""
    head, files, tail = _parts(system)
    return _kept(head) + files + _kept(tail)


def with_mapping(system: str) -> str:
    """Return the prompt with the mapping of tool names at its end, where it is not there yet."""
    return system if system.endswith(MAPPING) else f"{system}\n{MAPPING}"


def adapted(system: str) -> str:
    """Return OpenClaw's prompt as a turn with Claude Code's tools needs it. Twice is as good as once."""
    return with_mapping(strip(system))


def _preamble(system: str) -> str:
    heading = _FIRST_HEADING.search(system)
    return system if heading is None else system[: heading.start()]


def _parts(system: str) -> tuple[str, str, str]:
    """Split a prompt into what comes before the user's files, the files, and what comes after them."""
    start = _FILES.search(system)
    if start is None:
        return system, "", ""
    end = len(system)
    # Without an envelope nothing tells a section after the files from a heading in a file. In 2026.3 all of those are
    # kept anyway. With it the last closing mark counts: a file may quote one.
    if _STABLE_OPENS.search(_preamble(system)):
        for close in _STABLE_CLOSES.finditer(system, start.end()):
            end = close.start()
    return system[: start.start()], system[start.start() : end], system[end:]


def _kept(text: str) -> str:
    kept: list[str] = []
    dropping = 0  # the level of the heading whose section is being dropped
    rest_is_free = False
    for line, bare in _lines(text):
        pause()
        heading = _HEADING.match(bare)
        if rest_is_free:
            pass
        elif heading is not None and (not dropping or len(heading[1]) <= dropping):
            dropping = len(heading[1]) if _is_dropped(bare) else 0
            rest_is_free = bare in OPEN_ENDED
        elif _MARK.fullmatch(bare):
            dropping = 0
        if not dropping:
            kept.append(line)
    return "".join(kept)


def _is_dropped(header: str) -> bool:
    return any(
        verdict == "drop" and (header.startswith(name[:-1]) if name.endswith("*") else header == name)
        for name, verdict in SECTIONS.items()
    )


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line as it is, and without its end; that is empty within fenced code and lists of skills."""
    lines = _LINE.findall(text)
    unclosed: set[str] = set()
    inside = 0
    for number, line in enumerate(lines):
        if number < inside:
            yield line, ""
            continue
        bare = line.rstrip(_NEWLINES)
        closing = _closing(bare)
        # A fence that is never closed encloses nothing: it may stand in a dropped section, before one that is kept.
        if closing is not None and closing not in unclosed:
            pattern = re.compile(closing)
            pause()
            ends = (n for n in range(number + 1, len(lines)) if pattern.fullmatch(lines[n].rstrip(_NEWLINES)))
            inside = next(ends, number) + 1
            if inside == number + 1:
                unclosed.add(closing)
        yield line, bare


def _closing(bare: str) -> str | None:
    """Return the pattern of the line that ends what this line begins, or None."""
    if bare == _SKILLS:
        return "</available_skills>"
    fence = _FENCE.fullmatch(bare)
    if fence is None:
        return None
    run = fence[1] or fence[2]
    return f" {{0,3}}{run[0]}{{{len(run)},}}"  # https://spec.commonmark.org/0.31.2/#fenced-code-blocks
