"""A file takes another's place whole, for its owner alone, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import private_file


@pytest.mark.parametrize("lasting", [True, False])
def test_replace(tmp_path: Path, *, lasting: bool) -> None:
    path = tmp_path / "known.json"
    path.write_bytes(b"before")
    path.chmod(0o644)
    private_file.replace(path, b"after", lasting=lasting)
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_one_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        private_file.replace(path, b"after")
    assert list(tmp_path.iterdir()) == [path]
