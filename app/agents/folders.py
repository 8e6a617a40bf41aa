"""Folders that a request names, below an agent's workspace and never outside it."""

from __future__ import annotations

from pathlib import Path


def below(workspace: str, named: str) -> str | None:
    """Return the folder of this name below the workspace, links resolved; None where there is none, or it lies outside.

    Nothing tells the two apart: a client learns nothing of what is outside.
    """
    named = named.strip()
    if ".." in Path(named).parts:
        return None  # a way out and in again would tell whether there is what it leads through
    root = Path(workspace).resolve()
    try:
        folder = (root / named).resolve(strict=True)
        found = folder.is_relative_to(root) and folder.is_dir()
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a null character
        return None
    return str(folder) if found else None
