"""What the text of a setting means: each function returns its value, or raises ValueError saying what it takes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path

from app import logs
from app.keys.key import EVERYBODY, named
from app.keys.terms import share

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
SETTING_SOURCES = ("user", "project", "local")
WHOLE_WEB = frozenset({"http://", "https://"})
# What `all` stands for. Named one by one: a newer CLI may bring tools that work in the background, on a schedule or
# with other machines, and nobody would see what they do. The CLI ignores names it does not have.
ALL_TOOLS = tuple(
    """
    Agent Task Bash Edit Glob Grep NotebookEdit Read TaskCreate TaskGet TaskList TaskUpdate TodoWrite WebFetch WebSearch
    Write
    """.split()
)
# An MCP server's, of those in the settings that CLAUDE_PROXY_SETTING_SOURCES names.
MCP = "mcp__"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    """Read a time span."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or float(text) <= 0:
        raise ValueError("a number of seconds above 0")
    return float(text)


def size(text: str) -> int:
    """Read a size in bytes, with or without a unit."""
    match = re.fullmatch(r"([0-9]{1,12})\s*([KMG]?)(?:iB|B)?", text, re.IGNORECASE)
    if match is None or int(match[1]) == 0:
        raise ValueError("a size in bytes, such as 33554432 or 32MiB")
    return int(match[1]) * UNITS[match[2].upper()]


def listed(text: str) -> tuple[str, ...]:
    """Read a list of words."""
    return tuple(part for part in re.split(r"[,\s]+", text) if part)


def origins(text: str) -> tuple[str, ...]:
    """Read the origins of web pages; one without a host, such as `app://`, stands for all of its scheme."""
    origins = tuple(re.sub(r"(?<![:/])/$", "", origin.lower()) for origin in listed(text))
    if any(not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/*]*", origin) for origin in origins) or WHOLE_WEB & set(origins):
        raise ValueError("origins such as https://chat.example.org or app://, separated by commas, without * or a path")
    return origins


def tools(text: str) -> tuple[str, ...]:
    """Read the names of Claude Code's tools, or a word for some of them."""
    tools = listed(text)
    words = {"none", "all"}.intersection(name.lower() for name in tools)
    if [name.lower() for name in tools] == ["openclaw"]:
        raise ValueError(
            "none, all, or names of Claude Code's tools; to give OpenClaw all, put the name of its API key into "
            "CLAUDE_PROXY_TOOLS_FOR, since its prompt alone proves nothing"
        )
    if (words and len(tools) > 1) or not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in tools):
        raise ValueError("none, all, or names of Claude Code's tools separated by commas")
    if words:
        return () if words == {"none"} else ("all",)
    for name in tools:
        if name not in ALL_TOOLS and not name.startswith(MCP):
            near = difflib.get_close_matches(name.capitalize(), ALL_TOOLS, 1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise ValueError(f"names of Claude Code's tools, and {name} is none{meant}: {', '.join(ALL_TOOLS)}")
    return tools


def names(text: str) -> tuple[str, ...]:
    """Read the names of API keys, or the word for everybody."""
    if text.lower() == EVERYBODY:
        return (EVERYBODY,)
    names = listed(text)
    try:
        return tuple(named(name) for name in names)
    except ValueError:
        raise ValueError(f"names of API keys separated by commas, or {EVERYBODY}") from None


def sources(text: str) -> tuple[str, ...]:
    """Read where Claude Code's settings may come from."""
    names = tuple(name.lower() for name in listed(text))
    if names == ("none",):
        return ()
    if not set(names) <= set(SETTING_SOURCES):
        raise ValueError(f"none, or some of {', '.join(SETTING_SOURCES)}, separated by commas")
    return names


def reserve(text: str) -> float:
    """Read a share of the plan that is reserved, as a percentage; 0 is none."""
    return 0.0 if text in {"0", "0%"} else share(text)


def one_of(*words: str) -> Callable[[str], str]:
    """Return what reads one of some words, in whatever case."""

    def parse(text: str) -> str:
        for word in words:
            if word.lower() == text.lower():
                return word
        raise ValueError(f"one of {', '.join(words)}")

    return parse


def database(text: str) -> str:
    """Read where a database is."""
    if not re.match(r"postgres(ql)?://[^\s/]*/[^\s/?]+", text):
        raise ValueError("postgresql://USER:PASSWORD@HOST:PORT/NAME, or nothing for files in the state folder")
    return text


def log_level(text: str) -> str:
    """Read a level of the log."""
    if text.upper() not in LOG_LEVELS:
        raise ValueError(f"one of {', '.join(LOG_LEVELS)}")
    return text.upper()


def log_format(text: str) -> str:
    """Read a form of the log."""
    if text.lower() not in logs.FORMATS:
        raise ValueError(f"one of {', '.join(logs.FORMATS)}")
    return text.lower()


def path(text: str) -> Path:
    """Read a path, which may begin with `~`."""
    return Path(text).expanduser().absolute()


def flag(text: str) -> bool:
    """Read a yes or no."""
    if text.lower() not in {"0", "1", "false", "true", "no", "yes"}:
        raise ValueError("0 or 1")
    return text.lower() in {"1", "true", "yes"}
