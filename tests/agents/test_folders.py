"""Folders that a request names: below the workspace, and no word of what is beside it."""

from __future__ import annotations

import pytest

from app.agents.folders import below


@pytest.fixture
def workspace(tmp_path):
    """Give a workspace with a folder, a file and a link to the folder beside it."""
    for name in ("notes/garden", "beside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "notes/plan.txt").touch()
    (tmp_path / "notes/out").symlink_to(tmp_path / "beside")
    return tmp_path / "notes"


def test_below(workspace):
    """A folder is named from the workspace on, or as a whole."""
    garden = str(workspace / "garden")
    assert [below(str(workspace), name) for name in ("garden", " garden/ ", garden)] == 3 * [garden]


@pytest.mark.parametrize("name", ["..", "../beside", "out", "/", "plan.txt", "none", "\0", "x" * 5000, "~"])
def test_outside(workspace, name):
    """What lies outside is as what is not there."""
    assert below(str(workspace), name) is None


@pytest.mark.parametrize(
    "way", ["../beside/../notes/garden", "../none/../notes/garden", "out/../notes/garden", " ../notes", "garden/.. "]
)
def test_way_through_the_outside(workspace, way):
    """A way that leaves the workspace leads nowhere, whether there is what it leads through or not."""
    assert below(str(workspace), way) is None
