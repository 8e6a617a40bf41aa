"""The README says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from app import config, errors

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_settings_table() -> None:
    """The table of settings is the one the code makes."""
    assert f"<!-- settings -->\n{config.table()}<!-- /settings -->" in README


def test_every_error_code_is_listed() -> None:
    """Each error class that a client can get has its code in the README's table, under its status."""
    rows = {(status, code) for status, codes in _rows() for code in codes}
    for error in _descendants(errors.ProxyError):
        # ClientGone is never sent; a plain 405 explains itself.
        if error.code is not None and error.status not in {499, 405} and error.code != "forbidden":
            assert (str(error.status), error.code) in rows


def _rows() -> list[tuple[str, list[str]]]:
    found = []
    for line in README.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and re.fullmatch(r"\d{3}(, \d{3})*", cells[1]):
            found += [(status, re.findall(r"`(\w+)`", cells[2])) for status in cells[1].split(", ")]
    return found


def _descendants(kind: type[errors.ProxyError]) -> list[type[errors.ProxyError]]:
    return [sub for direct in kind.__subclasses__() for sub in (direct, *_descendants(direct))]
