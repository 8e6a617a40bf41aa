"""Names that mean nothing, and which ones may be meant; variables that look like settings above all."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from app.config import setting_names

# For the console alone, so no setting of the server.
CLIENT = "CLAUDE_PROXY_API_KEY"


# What became of settings that there were once.
GONE = {"CLAUDE_PROXY_PRIMED": "CLAUDE_PROXY_PRIMED has no effect any more: processes go back instead; unset it"}


def find_misspelt(environ: Mapping[str, str]) -> dict[str, str]:
    """Return, for each variable that looks like a setting of this server and is none, a sentence."""
    known = [*setting_names(), CLIENT]
    names = sorted(name for name in environ if name.startswith("CLAUDE_PROXY_") and name not in known)
    return {name: GONE.get(name) or f"no such setting: {name}{suggested(name, known)}" for name in names}


def suggested(name: str, known: Collection[str]) -> str:
    """Return what to add to a name that is not among those that are known: the one that may be meant, if any."""
    # HOST, PORT and the like have no prefix, and are looked for with one.
    plain = name.removeprefix("CLAUDE_PROXY_")
    near = [plain] if plain in known else difflib.get_close_matches(name, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""
