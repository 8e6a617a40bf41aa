"""What a process has been told, line by line, and how much of it another conversation can use: pure, without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.claude.cli.tool_ids import plain
from app.claude.cli.tools import LONGEST_OUTPUT
from app.conversation import TextBlock, ToolResultBlock, Turn

# A longer result, in bytes, might not reach the model whole: beyond the characters of JSON that claude.tools declares
# the CLI writes it to a file and shows its beginning, and JSON takes up to six for one.
LONGEST_RESULT = LONGEST_OUTPUT // 6


class Line(NamedTuple):
    """A step that was told: the digest of the conversation up to it, and the line's id where it has one of ours.

    A `landmark` is one that a process can be taken back to before.
    """

    digest: bytes
    uuid: str | None = None
    landmark: bool = False


class Memory:
    """What a process knows: an `opening`, by its digest, and `lines`; nothing at all while the opening is None.

    Where it is not `exact` the process knows more than that, or something else behind its last line: an answer that the
    client did not get so. `calls` are the plain ids of the calls whose results it waits for; `newest` is the id of the
    user's line that was told last.
    """

    def __init__(self) -> None:
        self.opening: bytes | None = None
        self.lines: list[Line] = []
        self.exact = True
        self.calls: frozenset[str] = frozenset()
        self.newest: str | None = None

    def open(self, digest: bytes) -> None:
        """Take note of the opening."""
        self.opening = digest

    def add(self, line: Line) -> None:
        """Take note of a line."""
        self.lines.append(line)
        self.newest = line.uuid or self.newest

    def forget(self, place: int) -> None:
        """Go back to where only the first `place` lines had been told."""
        del self.lines[place:]
        self.exact, self.calls = True, frozenset()
        self.newest = next((line.uuid for line in reversed(self.lines) if line.uuid is not None), None)

    def knows(self, lineage: Sequence[bytes]) -> bool:
        """Tell whether it is this very conversation that the process knows: up to the first answer it is the same."""
        return len(self.lines) > 1 and len(lineage) > 2 and self.lines[1].digest == lineage[2]  # noqa: PLR2004

    def place(self, lineage: Sequence[bytes], steps: Sequence[Turn], *, going_back: bool) -> int | None:
        """Return how many of a conversation's steps the process knows when it has gone back as far as it must.

        None where it is no use for the conversation. `lineage` has a digest more than there are `steps`; the last of
        them is the question, which has to be asked.
        """
        if self.opening is None or self.opening != lineage[0]:
            return None
        common = self._common(lineage)
        if self._goes_on(common, steps):
            return common
        if not going_back:
            return None
        for place in range(min(common, len(steps) - 1, len(self.lines) - 1), -1, -1):
            if self.lines[place].landmark:
                return place
        return None

    def _common(self, lineage: Sequence[bytes]) -> int:
        """Return how many lines are the conversation's first steps. Where a digest is equal all before it are."""
        low, high = 0, min(len(self.lines), len(lineage) - 1)
        while low < high:
            middle = (low + high + 1) // 2
            if self.lines[middle - 1].digest == lineage[middle]:
                low = middle
            else:
                high = middle - 1
        return low

    def _goes_on(self, common: int, steps: Sequence[Turn]) -> bool:
        """Tell whether the process can take up the steps behind the common ones without going back."""
        if not self.exact or common != len(self.lines) or common >= len(steps):
            return False
        if not self.calls:
            return True
        # With results comes nothing else, since the CLI asks the API at once; and what it would change is told anew.
        (results, *more) = steps[common:]
        return (
            not more
            and all(isinstance(block, ToolResultBlock) and _goes_unchanged(block) for block in results.content)
            and sorted(plain(block.tool_use_id) for block in results.content if isinstance(block, ToolResultBlock))
            == sorted(self.calls)
        )


def _goes_unchanged(result: ToolResultBlock) -> bool:
    """Tell whether the CLI hands a result to the model as it is: no empty one, no picture, none that is too long.

    A failure it would trim, and shorten beyond 10,000 characters (2.1.330).
    """
    texts = [block.text for block in result.content if isinstance(block, TextBlock)]
    if result.is_error or not len(texts) == len(result.content) > 0:
        return False
    return sum(len(text.encode()) for text in texts) <= LONGEST_RESULT
