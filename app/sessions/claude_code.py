"""Sessions that Claude Code keeps: which of its transcripts is meant by a session's name, and in which folder.

The CLI finds a session by its id in any project, so whoever knows an id could read what was said anywhere. Here a
session is one of its folder alone.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Mapping
from pathlib import Path

import msgspec

from app.conversation import ClaudeSession

NAMESPACE = uuid.UUID("8d0f6a3e-6f0b-4d2c-9d51-0a7c5f1b7e42")
# Ids that are worked out from a name; those of Claude Code's own are random.
FROM_NAME = 5
# A transcript's first lines may be others than messages, which alone say in which folder they were said.
MAX_LINES = 50


class _Line(msgspec.Struct):
    cwd: str | None = None


def parse_id(name: str) -> uuid.UUID | None:
    """Return the id that a session's name is, None where it is any other text."""
    try:
        found = uuid.UUID(name)
    except ValueError:
        return None
    return found if str(found) == name.lower() else None


def id_of(owner: str, agent: str, folder: Path, name: str) -> str:
    """Return the id of the session to which one owner gives this name, in this folder; nobody else's has it."""
    return str(uuid.uuid5(NAMESPACE, json.dumps([owner, agent, str(folder), name])))


def find(environ: Mapping[str, str], folder: Path, session_id: str) -> ClaudeSession | None:
    """Return the session of this id that was begun in a folder, None where there is none."""
    claude = environ.get("CLAUDE_CONFIG_DIR") or Path(environ.get("HOME") or Path.home()) / ".claude"
    for path in Path(claude, "projects").glob(f"*/{session_id}.jsonl"):
        if (begun := _folder(path)) is not None and begun.resolve() == folder.resolve():
            return ClaudeSession(session_id, str(path))
    return None


def _folder(path: Path) -> Path | None:
    """Return the folder in which a session was begun."""
    try:
        with path.open("rb") as lines:
            for line in itertools.islice(lines, MAX_LINES):
                if (cwd := msgspec.json.decode(line, type=_Line).cwd) is not None:
                    return Path(cwd)
    except (OSError, ValueError):
        return None
    return None
