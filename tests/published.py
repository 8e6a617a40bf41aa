"""The wheel of this package, as whoever publishes it makes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import hermetic
import pytest
from server import ROOT

LEFT_OUT = (".venv", ".git", "build", "dist", "tests", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
URL = "https://example.org/claude-max-api-proxy"


def run(argv: list[str], env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=240)


def install(argv: list[str], env: Mapping[str, str], cwd: Path) -> None:
    """Run what needs the package index; without it, or the tool, the test is skipped, and in CI fails."""
    if not Path(argv[0]).is_file():
        pytest.skip(f"{argv[0]} is not there: pip install '.[test]' brings it")
    done = run(argv, env, cwd)
    if done.returncode != 0:
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"{argv[0]} could not install: {done.stderr[-500:]}")


def wheel(folder: Path) -> Path:
    """Return the wheel, made in `folder`."""
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_OUT))
    env = {**hermetic.environment(folder), "PROJECT_URL": URL, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    install([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(source)], env, folder)
    (made,) = folder.glob("*.whl")
    return made
