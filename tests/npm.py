"""npm packages for tests, in a Node that knows nothing of this machine but where packages come from."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_TIMEOUT = 120
# Where packages come from, as this machine's npm has it; no tokens.
SETTINGS = ("registry", "cafile", "https-proxy", "noproxy")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the whole environment of a Node process."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "AI_SDK_LOG_WARNINGS": "false", **more}


def installed(source: Path, cache: Path, work: Path) -> Path:
    """Return a folder with what `source` locks, kept in `cache` for as long as the lock file is the same.

    `work` is an empty folder to make it in. Where npm cannot install, the test is skipped, and in CI fails.
    """
    lock = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:16]
    kept = cache / lock
    if not kept.exists():
        fresh = work / lock
        shutil.copytree(source, fresh, ignore=shutil.ignore_patterns("node_modules"))
        _install(fresh, work)
        shutil.move(fresh, kept)
    return kept


def settings() -> dict[str, str]:
    """Return the person's npm settings for downloads, as environment variables."""
    env = environment(Path(pwd.getpwuid(os.getuid()).pw_dir))
    found = {}
    for name in SETTINGS:
        shown = subprocess.run(
            ["npm", "config", "get", name], env=env, capture_output=True, text=True, check=False, timeout=30
        )
        value = shown.stdout.strip()
        if shown.returncode == 0 and value not in {"", "null", "undefined"}:
            found[f"npm_config_{name.replace('-', '_')}"] = value
    return found


def _install(folder: Path, home: Path) -> None:
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(home, **settings()),
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_TIMEOUT,
        )
        problem = done.stderr[-500:] if done.returncode else ""
    except subprocess.TimeoutExpired:
        problem = f"npm took longer than {INSTALL_TIMEOUT} s"
    if problem:
        # A person without network goes on without these; a CI that has Node must not pass over them.
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"npm could not install the packages: {problem}")
