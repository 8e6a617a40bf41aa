"""Parameters that mean the same at every endpoint."""

from __future__ import annotations

from typing import Annotated

import msgspec

# How many answers may be asked for at once, each of which is a turn.
MOST_ANSWERS = 8
# No model comes near; larger numbers would mean nothing but trouble for whoever counts in 32 bits.
MOST_TOKENS = 2**31 - 1

Answers = Annotated[int, msgspec.Meta(ge=1, le=MOST_ANSWERS)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
TopP = Annotated[float, msgspec.Meta(ge=0, le=1)]


class StreamOptions(msgspec.Struct):
    """How a stream ends."""

    include_usage: bool | None = None
