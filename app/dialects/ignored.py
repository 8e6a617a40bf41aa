"""The names of parameters without effect, for the header that says so."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

# A header has bounds, and a client may send any key.
MOST = 40
UNFIT = re.compile(r"[^a-zA-Z0-9_.-]")
LONGEST = 64


def without_effect(
    fields: Mapping[str, Any], honoured: Collection[str], neutral: Mapping[str, tuple[Any, ...]]
) -> tuple[str, ...]:
    """Return the names of `fields` that ask for something and are not `honoured`, fit for a header.

    At its `neutral` values a parameter asks for nothing.
    """
    names = [
        UNFIT.sub("?", name)[:LONGEST]
        for name, value in fields.items()
        if name not in honoured and value is not None and value not in neutral.get(name, ())
    ]
    return tuple(filter(None, names[:MOST]))
