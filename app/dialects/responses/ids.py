"""The ids of responses, and of the items in them, which tell whose they are."""

from __future__ import annotations

import secrets

RESPONSE = "resp_"


def new_id() -> str:
    """Return a fresh id of a response."""
    return f"{RESPONSE}{secrets.token_hex(16)}"


def item_id(prefix: str, response_id: str, index: int) -> str:
    """Return the id of an item of a response's output, such as `msg_`, letters and its index."""
    return f"{prefix}_{response_id.removeprefix(RESPONSE)}_{index}"


def response_of(item: str) -> str | None:
    """Return the id of the response that an item with this id belongs to, None for an id that is not ours."""
    parts = item.split("_")
    return f"{RESPONSE}{parts[1]}" if len(parts) == 3 else None  # noqa: PLR2004 - as item_id() makes them
