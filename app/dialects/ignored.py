"""The names of what has no effect, for the header that says so."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

# A header has bounds, and a client may send any key.
MOST = 40
UNFIT = re.compile(r"[^a-zA-Z0-9_.\[\]-]")
LONGEST = 64

Word = TypeVar("Word")


def without_effect(
    fields: Mapping[str, Any], honoured: Collection[str], neutral: Mapping[str, tuple[Any, ...]]
) -> list[str]:
    """Return the names of `fields` that ask for something and are not `honoured`.

    At its `neutral` values a parameter asks for nothing.
    """
    return [
        name
        for name, value in fields.items()
        if name not in honoured and value is not None and value not in neutral.get(name, ())
    ]


def tuned(value: str | None, known: Mapping[str, Word], param: str, ignored: list[str]) -> Word | None:
    """Return what a value of an option that only tunes the answer stands for; None, its default, for null.

    So does a value that is not known, which a newer client may send: its `param` is added to `ignored`.
    """
    if value is None or value in known:
        return None if value is None else known[value]
    ignored.append(param)
    return None


def fit(names: Iterable[str]) -> tuple[str, ...]:
    """Return names as a header can hold them, each once."""
    clean = dict.fromkeys(UNFIT.sub("?", name[:LONGEST]) for name in names)
    return tuple(filter(None, clean))[:MOST]
