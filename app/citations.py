"""Which pages an answer names, of those that its searches found, and where in its text: pure, without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from app.events import Source

# Of the pages that one answer may name.
MAX_SOURCES = 100
# Of the words of a link; and how often what stands behind an address is looked for.
MAX_LABEL_CHARACTERS, MAX_TRIES = 500, 20
ADDRESS = re.compile(r"https?://[^\s<>\"\]]+")
# What may follow an address without being part of it.
AFTER = ".,;:!?)}'*_`|"
BRACKETS = frozenset("()[]")


class Citation(msgspec.Struct, frozen=True):
    """A page and the part of the text, in characters, that names it; an empty one at its end stands for all of it."""

    start: int
    end: int
    url: str
    title: str


class Citations:
    """Collects the pages that searches found while an answer grows; tells what is cited in its texts."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._linked = False

    def found(self, source: Source) -> None:
        """Take note of a page."""
        if len(self._sources) < MAX_SOURCES:
            self._sources.setdefault(_plain(source.url), source)

    def __bool__(self) -> bool:
        """Tell whether there is anything to cite."""
        return bool(self._sources)

    def of(self, text: str, *, last: bool) -> list[Citation]:
        """Return what a text of the answer's cites: the pages that it links.

        Where no text did, the `last` one rests on all that was found.
        """
        cited = [*self._links(text)] if self._sources else []
        self._linked = self._linked or bool(cited)
        if last and not self._linked:
            end = len(text)
            return [Citation(end, end, source.url, source.title) for source in self._sources.values()]
        return cited

    def _links(self, text: str) -> Iterator[Citation]:
        for match in ADDRESS.finditer(text):
            start, address = match.start(), match[0]
            for _ in range(MAX_TRIES):
                if (source := self._source(address)) is not None or not (address := _shorter(address)):
                    break
            if source is None:
                continue
            end = start + len(address)
            if text[max(0, start - 2) : start] == "](" and text[end : end + 1] == ")":
                label = text.rfind("[", max(0, start - MAX_LABEL_CHARACTERS), start - 2)
                start, end = (label, end + 1) if label >= 0 else (start, end)
            yield Citation(start, end, source.url, source.title)

    def _source(self, address: str) -> Source | None:
        place = address.partition("#")[2]
        doubtful = place and (place[-1] in AFTER or not BRACKETS.isdisjoint(place))
        return None if doubtful else self._sources.get(_plain(address))


def _plain(url: str) -> str:
    """Return an address as addresses are compared: without the place in the page."""
    return url.partition("#")[0].rstrip("/")


def _shorter(address: str) -> str:
    """Return an address without what may be the text's behind it, empty where that is not so."""
    if address[-1] in AFTER:
        return address[:-1]
    # Markdown's links may follow one another without a space.
    return address[: address.rfind(")")] if ")" in address else ""
