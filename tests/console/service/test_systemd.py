"""The unit that systemd reads: what is in it, and that it can be read."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from app.console.service.systemd import UserUnit

ROOT = Path(__file__).parent.parent.parent.parent
GRACE = runpy.run_path(str(ROOT / "app" / "gunicorn_config.py"))["graceful_timeout"]
AWKWARD = 'a "b" \\c 100% $HOME é\nnext'


def words(text, name):
    """Return the values of one key of a unit."""
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def test_unit(install, linux):
    """It restarts after a crash, not in a tight loop, and waits longer for the end than gunicorn."""
    text = UserUnit(linux).content(install(linux, PORT="3460")).decode()
    assert words(text, "Restart") == ["on-failure"]
    assert int(words(text, "RestartSec")[0]) >= 10
    assert int(words(text, "TimeoutStopSec")[0]) > GRACE
    assert words(text, "KillMode") == ["mixed"]
    assert words(text, "NoNewPrivileges") == ["yes"]
    assert words(text, "UMask") == ["0077"]
    assert words(text, "WantedBy") == ["default.target"]


@pytest.mark.parametrize("value", ["plain", AWKWARD])
def test_systemd_can_read_it(install, linux, program, tmp_path, value):
    """systemd finds nothing wrong with it, and sees the very paths and values that were given."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    program.write_text("#!/bin/sh\n")
    path = tmp_path / "claude-max-proxy.service"
    path.write_bytes(UserUnit(linux).content(install(linux, CLAUDE_PROXY_DEFAULT_MODEL=value)))
    (tmp_path / "run").mkdir(mode=0o700)
    verify = ["systemd-analyze", "verify", "--user", "--man=no", "--recursive-errors=no", str(path)]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    done = subprocess.run(verify, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_quoting(install, linux, program):
    """A path or a value with quotes, specifiers, variables or line ends stays one word."""
    text = UserUnit(linux).content(install(linux, CLAUDE_PROXY_DEFAULT_MODEL=AWKWARD)).decode()
    (command,) = words(text, "ExecStart")
    assert command.startswith(f'"{program}" serve '.replace("%", "%%"))
    assert r'Environment="CLAUDE_PROXY_DEFAULT_MODEL=a \"b\" \\c 100%% $HOME é\nnext"' in text.splitlines()


def test_unit_folder(linux, home, monkeypatch):
    """The unit goes where systemd looks for it; a relative XDG_CONFIG_HOME is ignored, as the standard says."""
    for given, folder in (("", home / ".config"), ("/cfg", Path("/cfg")), ("rel", home / ".config")):
        monkeypatch.setattr(type(linux), "environ", {"XDG_CONFIG_HOME": given})
        assert UserUnit(linux).file == folder / "systemd" / "user" / "claude-max-proxy.service"
