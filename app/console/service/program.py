"""The program that an installed service starts: whether it is still there."""

from __future__ import annotations

import re
from pathlib import Path

# In a unit, and in a property list.
STARTS = re.compile(r"(?:ExecStart=|<string>)\"?(/.*?/claude-max-api)\b")


def find_missing(text: str) -> str | None:
    """Return what a service whose file has this `text` starts and what of that is gone, or None where all is there.

    A venv outlives the Python that it was made of.
    """
    named = STARTS.search(text)
    if named is None:
        return None
    program = Path(named[1])
    try:
        with program.open("rb") as file:
            first = file.readline(4096).decode(errors="replace").strip()
    except OSError:
        return f"it starts {program}, which is gone"
    python = first.removeprefix("#!").strip('"')
    if first.startswith("#!/") and not Path(python).exists():
        return f"it starts {program}, whose Python is gone: {python}"
    return None
