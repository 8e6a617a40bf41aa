"""An environment built from nothing, so that no test can meet this machine's login or settings.

Importing this module empties the environment of the test process itself, and from then on every attempt to start a
`claude` whose environment could reach beyond loopback fails before the process exists.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

KEPT = ("PATH", "LANG", "TMPDIR", "CI")
DUMMY_TOKEN = "sk-ant-oat01-dummy"
# Port 9 (discard): whoever forgets to name a stand-in reaches nobody.
NOWHERE = "http://127.0.0.1:9"
LOOPBACK = re.compile(r"http://127\.0\.0\.1:[0-9]+/?")
PASSED = "ANTHROPIC_BASE_URL,CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC,CLAUDE_CODE_MAX_RETRIES"


def environment(home: Path, base_url: str = NOWHERE, **extra: str) -> dict[str, str]:
    """Return the whole environment of a server under test: temporary home, loopback API, dummy login."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": base_url,
        "CLAUDE_CODE_OAUTH_TOKEN": DUMMY_TOKEN,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "CLAUDE_PROXY_PASS_ENV": PASSED,
        "CLAUDE_PROXY_STATE_DIR": str(home / "state"),
        "LOG_FORMAT": "text",
        # A test that has the plan used up leaves the server as it was for the next.
        "CLAUDE_PROXY_LIMIT_PROBE": "0.001",
        **extra,
    }


def _empty_environment() -> None:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.environ.clear()
    home = tempfile.mkdtemp(prefix="claude-max-test-home-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(kept, HOME=home, ANTHROPIC_BASE_URL=NOWHERE, CLAUDE_CODE_OAUTH_TOKEN=DUMMY_TOKEN)


def _guard(event: str, args: tuple[Any, ...]) -> None:
    if event != "subprocess.Popen":
        return
    executable, _, _, env = args
    if "claude" in Path(os.fsdecode(executable)).name:
        check(dict(os.environ) if env is None else env)


def check(env: dict[str, str]) -> None:
    """Raise AssertionError unless a CLI started with `env` can only talk to loopback, as nobody."""
    given = {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()}
    temporary = Path(tempfile.gettempdir()).resolve()
    assert LOOPBACK.fullmatch(given.get("ANTHROPIC_BASE_URL", "")), "claude without a loopback API"
    home = given.get("HOME", "/")
    for folder in (home, given.get("CLAUDE_CONFIG_DIR", home)):
        assert temporary in Path(folder).resolve().parents, "claude with a real home"
    assert given.get("CLAUDE_CODE_OAUTH_TOKEN", DUMMY_TOKEN) in {DUMMY_TOKEN, ""}, "claude with a real login"
    assert not {"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"} & set(given), "claude with an API key"
    assert not any(name.startswith("CLAUDE_CODE_USE_") for name in given), "claude with another cloud"


_empty_environment()
sys.addaudithook(_guard)
