"""Ending an answer before a stop sequence, wherever the pieces cut it."""

from __future__ import annotations


class Stops:
    """Looks for the first of several texts in a stream of pieces.

    What may be the beginning of one is held back until the next piece decides, so no part of it ever gets out.
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = texts
        self._held = ""
        self.found: str | None = None

    def feed(self, piece: str) -> str:
        """Return what is certain not to belong to a stop sequence; `found` tells which has come."""
        text = self._held + piece
        hits = [(place, stop) for stop in self._texts if (place := text.find(stop)) >= 0]
        if hits:
            place, self.found = min(hits)
            self._held = ""
            return text[:place]
        keep = max((_overlap(text, stop) for stop in self._texts), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return what was held back in vain."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of `text` begin `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-length:]):
            return length
    return 0
