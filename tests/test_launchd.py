"""The LaunchAgent template agrees with the server it starts."""

from __future__ import annotations

import plistlib
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_plist() -> None:
    """launchd can read it, its label is its file's name, and it waits longer for the end than gunicorn does."""
    path = ROOT / "launchd" / "com.openclaw.claude-max-proxy.plist"
    agent = plistlib.loads(path.read_bytes())
    assert agent["Label"] == path.stem
    assert agent["ProgramArguments"] == ["@VENV@/bin/claude-max-api", "serve", "3456"]
    assert agent["ExitTimeOut"] > runpy.run_path(str(ROOT / "app" / "gunicorn_config.py"))["graceful_timeout"]
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["ThrottleInterval"] >= 10
