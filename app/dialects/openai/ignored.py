"""The names of parameters without effect, for the header that says so."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

# At these values a parameter asks for nothing that is left out; mostly OpenAI's defaults.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "temperature": (1,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "max_tokens": (0,),
    "metadata": ({},),
    "service_tier": ("auto", "default"),
    "store": (False,),
}
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
