"""Functions in a namespace: the model knows each by one name made of both, the client by the two.

Codex offers the tools of each MCP server so, and answers calls that name the namespace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

# What the API takes as a name.
LONGEST = 128
SEPARATOR = "__"

# The names that the model knows, and the namespace and the name that the client knows.
Names = Mapping[str, tuple[str, str]]
NONE: Names = {}


def joined(namespace: str, name: str) -> str:
    """Return the one name for a function in a namespace, always the same one."""
    whole = f"{namespace}{name}" if namespace.endswith(SEPARATOR) else f"{namespace}{SEPARATOR}{name}"
    if len(whole) <= LONGEST:
        return whole
    mark = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: LONGEST - len(mark) - 1]}_{mark}"
