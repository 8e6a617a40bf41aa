"""A response that was kept, for those that go on from it."""

from __future__ import annotations

from typing import Any

import msgspec

from app.conversation import Turn


class StoredResponse(msgspec.Struct, frozen=True):
    """A response's object, and the conversation up to its end.

    `system` is what its input said as the system, without the instructions, which do not outlive their request.
    """

    response: dict[str, Any]
    system: str
    turns: tuple[Turn, ...]

    def item(self, item_id: str) -> dict[str, Any] | None:
        """Return an item of the output."""
        return next((item for item in self.response["output"] if item.get("id") == item_id), None)
