"""What an agent does with tools of Claude Code's own, as short lines for a client that wants to see it.

`Bash: git log -3`, and below it the beginning of what that gave. The pages that its searches found come along, whether
it is shown or not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from app.claude.cli import structured
from app.claude.cli.incoming import ContentBlock, User
from app.conversation import Show
from app.events import Event, Source, Step

SEARCH = "WebSearch"
# The argument that tells most about a call, the first of these that it has; else its first text.
MAIN_ARGUMENTS = ("command", "file_path", "notebook_path", "pattern", "url", "query", "description")
# Of a line that is shown, and of an address.
MAX_LINE_CHARACTERS, MAX_URL_CHARACTERS = 200, 2000
MCP_PREFIX = "mcp__"
# Colours and the like, as programs write them to a terminal; and what the CLI puts around its own errors.
MARKS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|</?tool_use_error>")
NOTHING = "(no output)"

T = TypeVar("T")


class _Page(msgspec.Struct):
    title: str
    url: str


class _Found(msgspec.Struct):
    content: list[_Page]


class _Searched(msgspec.Struct):
    # What the model said of its search stands between the pages.
    results: list[_Found | str]


class _Part(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Result(msgspec.Struct):
    tool_use_id: str
    content: str | list[_Part] = ""
    is_error: bool = False


class _Told(msgspec.Struct):
    content: list[_Result]


class Work:
    """Follows the calls of one turn, all but the client's, and what they give; `show` says how much is told."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._open: dict[str, tuple[str, str]] = {}  # calls without a result: tool and heading, by id
        self._last = ""  # the call whose heading was told last

    def called(self, block: ContentBlock) -> list[Event]:
        """Return what tells of a call, which is whole."""
        if block.name == structured.TOOL:
            return []  # that is the answer
        heading = _heading(block.name, bytes(block.input))
        self._open[block.id] = block.name, heading
        return self._told(block.id, heading)

    def gave(self, line: User) -> list[Event]:
        """Return what tells of results, the pages that a search found among them; nothing for what has no such form."""
        told = _decoded(line.message, _Told)
        events: list[Event] = []
        for result in told.content if told is not None else ():
            tool, heading = self._open.pop(result.tool_use_id, ("", ""))
            if not tool:
                continue  # a tool of the client's
            pages = _pages(line) if tool == SEARCH else []
            if self._show == "steps":
                if self._last != result.tool_use_id:
                    events += self._told(result.tool_use_id, heading)
                text = "\n".join(f"{page.title} {page.url}" for page in pages) or _text(result)
                failed = "failed: " if result.is_error else ""
                events.append(_step(f"  {failed}{_shortened(text) or NOTHING}"))
            events += [Source(page.url, page.title) for page in pages]
        return events

    def _told(self, call_id: str, heading: str) -> list[Event]:
        self._last = call_id
        return [] if self._show == "none" else [_step(heading)]


def _step(line: str) -> Step:
    return Step(msgspec.json.encode(f"{line}\n"))


def _heading(tool: str, arguments: bytes) -> str:
    given = _decoded(arguments, dict[str, Any]) or {}
    name = tool.removeprefix(MCP_PREFIX).replace("__", "/") if tool.startswith(MCP_PREFIX) else tool
    return ": ".join(filter(None, (_shortened(name), _shortened(_main(given)))))


def _main(given: Mapping[str, Any]) -> str:
    named = (given.get(name) for name in MAIN_ARGUMENTS)
    return next((value for value in (*named, *given.values()) if isinstance(value, str)), "")


def _text(result: _Result) -> str:
    if isinstance(result.content, str):
        return result.content
    return "\n".join(part.text or f"({part.type})" for part in result.content)


def _pages(line: User) -> list[_Page]:
    searched = _decoded(line.tool_use_result, _Searched)
    found = (part for part in (searched.results if searched is not None else ()) if isinstance(part, _Found))
    pages = [page for part in found for page in part.content]
    return [
        page for page in pages if page.url.startswith(("http://", "https://")) and len(page.url) <= MAX_URL_CHARACTERS
    ]


def _shortened(text: str) -> str:
    """Return the first line of a text, not too long and printable, and how many more there are."""
    lines = MARKS.sub("", text).strip().splitlines()
    if not lines:
        return ""
    first = " ".join(
        "".join(char if char.isprintable() else " " for char in lines[0][: 2 * MAX_LINE_CHARACTERS]).split()
    )
    if len(first) > MAX_LINE_CHARACTERS:
        first = f"{first[: MAX_LINE_CHARACTERS - 1]}…"
    more = len(lines) - 1
    return f"{first} ({more} more line{'s' if more > 1 else ''})" if more else first


def _decoded(data: msgspec.Raw | bytes, kind: type[T]) -> T | None:
    """Return what the CLI says in passing; None where it has another form, which is no reason to end a turn."""
    try:
        return msgspec.json.decode(bytes(data), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
