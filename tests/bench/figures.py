"""Figures of one run: series, targets, and the table that shows them."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from typing import Any


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """Return the value that one in twenty exceeds."""
    return percentile(values, 0.95)


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


@dataclasses.dataclass
class Row:
    """One line of the table: a measured thing, and what it took."""

    section: str
    name: str
    figures: dict[str, float]


@dataclasses.dataclass
class Target:
    """What a run has to reach: `met` is None where this run was too short to tell."""

    name: str
    wanted: str
    measured: str
    met: bool | None


@dataclasses.dataclass
class Report:
    """All of a run."""

    rows: list[Row] = dataclasses.field(default_factory=list)
    targets: list[Target] = dataclasses.field(default_factory=list)

    def add(self, section: str, name: str, **figures: float) -> None:
        self.rows.append(Row(section, name, figures))
        shown = "  ".join(f"{key} {_shown(value)}" for key, value in figures.items())
        print(f"  {section}: {name:<34} {shown}", flush=True)

    def aim(self, name: str, wanted: str, measured: float, unit: str, reached: Callable[[float], bool]) -> None:
        self.targets.append(Target(name, wanted, f"{_shown(measured)} {unit}".strip(), reached(measured)))

    def fail(self, name: str) -> None:
        """Count a part that could not be measured as a target missed."""
        self.targets.append(Target(name, "measured", "failed", met=False))

    def markdown(self) -> str:
        """Return one table for each section, and one of the targets."""
        parts = []
        for section in dict.fromkeys(row.section for row in self.rows):
            rows = [row for row in self.rows if row.section == section]
            columns = list(dict.fromkeys(key for row in rows for key in row.figures))
            parts.append(_table([section, *columns], [[row.name, *_cells(row, columns)] for row in rows]))
        marks = {True: "yes", False: "**no**", None: "-"}
        lines = [[target.name, target.wanted, target.measured, marks[target.met]] for target in self.targets]
        return "\n\n".join([*parts, _table(["target", "wanted", "measured", "met"], lines)])

    def json(self) -> dict[str, Any]:
        return {
            "rows": [dataclasses.asdict(row) for row in self.rows],
            "targets": [dataclasses.asdict(target) for target in self.targets],
        }


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    return [_shown(row.figures[column]) if column in row.figures else "" for column in columns]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _shown(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
