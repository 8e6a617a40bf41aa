"""The ids of tool calls: the API's own, and the plain ones that clients get.

Some clients hand ids back with nothing but letters and digits, and no more than 40 of them. So they get them like that,
and the API gets its own back: what it cached of an earlier request stays valid.
"""

from __future__ import annotations

import re

from app import conversation

LENGTH = 40


def plain(call_id: str) -> str:
    """Return an id as clients get it, and as ids are compared."""
    return conversation.plain(call_id)[:LENGTH]


def native(call_id: str) -> str:
    """Return an id with the underscore that every id of the API's own has behind its `toolu`."""
    return re.sub(r"^toolu(?=[0-9])", "toolu_", call_id)
