"""The ledger against what the API sent: requests, tokens by kind and dollars, for each kind of client."""

from __future__ import annotations

import collections
import dataclasses
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .answers import MARK
from .traffic import KINDS, agent

CENT = 0.01
# What the API calls the ledger's columns, and dollars for a million of each, as the CLI has them for the model that the
# clients ask for.
PRICES = {
    "input_tokens": ("input_tokens", 2.0),
    "output_tokens": ("output_tokens", 10.0),
    "cache_read_tokens": ("cache_read_input_tokens", 0.1),
    "cache_write_tokens": ("cache_creation_input_tokens", 2.5),
}
SUMS = f"""
SELECT client, sum(requests), {", ".join(f"sum({column})" for column in PRICES)}, sum(dollars), sum(unpriced)
FROM %s GROUP BY client"""


@dataclasses.dataclass(frozen=True)
class Used:
    """What a kind of client has used; `tokens` in the order of the prices."""

    requests: int = 0
    tokens: tuple[int, ...] = (0,) * len(PRICES)
    dollars: float = 0.0
    unpriced: int = 0

    @classmethod
    def at_list_price(cls, requests: int, tokens: tuple[int, ...]) -> Used:
        prices = (price for _, price in PRICES.values())
        return cls(requests, tokens, sum(count * price for count, price in zip(tokens, prices, strict=True)) / 1e6)

    def __str__(self) -> str:
        """Name the figures, as a row of a table."""
        figures = (f"{number:,}" for number in (self.requests, *self.tokens))
        return f"{' | '.join(figures)} | {self.dollars:.4f} | {self.unpriced}"


class Bills:
    """What the API has sent to each kind of client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)

    def take(self, body: dict[str, Any], usage: Mapping[str, Any]) -> None:
        """Count what one answer has told to have used."""
        found = MARK.search(str(body))
        assert found is not None, body
        with self._lock:
            self._sent[[*KINDS][int(found[1], 16)]].update(
                {column: usage.get(name, 0) for column, (name, _) in PRICES.items()}
            )

    def sent(self, kind: str, requests: int) -> Used:
        """Return what so many requests of a kind of client have used."""
        counts = self._sent[kind]
        return Used.at_list_price(requests, tuple(counts[column] for column in PRICES))


class Audit:
    """The comparison, when all clients are done and nothing runs any longer: its `table`, and what is `wrong`."""

    def __init__(self, ledger: Path, bills: Bills, requests: Mapping[str, int]) -> None:
        turns, days = (_kept(ledger, table) for table in ("turns", "days"))
        self.wrong: list[str] = []
        if turns != days:
            self.wrong.append(f"the ledger's turns are {turns}, its days {days}")
        heads = " | ".join(
            ("clients", "", "requests", *(name.replace("_", " ") for name in PRICES), "dollars", "unpriced")
        )
        lines = [f"| {heads} |", "|" + "---|" * (heads.count("|") + 1)]
        for kind, asked in sorted(requests.items()):
            sent, kept = bills.sent(kind, asked), turns.pop(agent(kind), Used())
            lines += [f"| {kind} | sent | {sent} |", f"| | kept | {kept} |"]
            self.wrong += [
                f"ledger, {kind}: {said}; sent {sent}, kept {kept}" for said in _differences(kind, sent, kept)
            ]
        self.wrong += [f"the ledger has {kept} of {name!r}" for name, kept in turns.items()]
        self.table = "\n".join(lines)


def _differences(kind: str, sent: Used, kept: Used) -> Iterator[str]:
    told = KINDS[kind].ledger
    if told == "part":
        # The API does not say how long an answer was that broke off, or whose client left: the CLI estimates it.
        given = dataclasses.replace(sent, tokens=(sent.tokens[0], kept.tokens[1], *sent.tokens[2:]))
        most = Used.at_list_price(given.requests, given.tokens)
        counts = zip((kept.requests, *kept.tokens), (most.requests, *most.tokens), strict=True)
        if any(one > bound for one, bound in counts) or kept.dollars > most.dollars + CENT:
            yield "more than was sent"
        return
    if kept.requests != (0 if told == "nothing" else sent.requests):
        yield "another number of requests"
    if kept.tokens != sent.tokens:
        yield "other tokens"
    if told == "tokens" and kept.dollars > sent.dollars + CENT:
        yield "more dollars"
    if told == "all" and (abs(kept.dollars - sent.dollars) > CENT or kept.unpriced):
        yield "other dollars"


def _kept(ledger: Path, table: str) -> dict[str, Used]:
    db = sqlite3.connect(ledger)
    try:
        rows = db.execute(SUMS % table).fetchall()
    finally:
        db.close()
    width = len(PRICES)
    return {
        client: Used(requests, tuple(more[:width]), round(more[width], 9), more[width + 1])
        for client, requests, *more in rows
    }
