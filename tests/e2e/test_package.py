"""The wheel, as it would be published: installed in each of the ways that the README names, and run from there."""

from __future__ import annotations

import email
import email.message
import os
import runpy
import shutil
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hermetic
import pytest
import setuptools
from published import URL, install, run
from server import ROOT

from app.version import __version__

pytestmark = pytest.mark.timeout(300)

SCRIPTS = Path(sysconfig.get_path("scripts"))


@pytest.fixture
def described(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_metadata(described: email.message.Message) -> None:
    """The wheel says what an index shows: description, licence, links, and no link that leads nowhere there."""
    text = described.get_payload()
    assert isinstance(text, str)
    assert described["License"] == "MIT"
    assert described["Description-Content-Type"] == "text/markdown"
    assert f"Homepage, {URL}" in described.get_all("Project-URL", [])
    assert f"]({URL}/blob/main/app/docs/clients.md)" in text
    assert "](app/" not in text


def test_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not say where the repository is gets a description without links that would lead nowhere."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", told.update)
    runpy.run_path(str(ROOT / "setup.py"))
    assert told["project_urls"] == {}
    assert "](app/" not in told["long_description"]
    assert "| Clients |" in told["long_description"]


def venv(wheel: Path, folder: Path, env: dict[str, str]) -> list[str]:
    # What the package needs is taken from here, so that no index is asked for it.
    assert run([sys.executable, "-m", "venv", "own"], env, folder).returncode == 0
    python = str(folder / "own/bin/python")
    done = run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)], env, folder)
    assert (done.returncode, done.stderr) == (0, "")
    (site,) = (folder / "own/lib").glob("python3*/site-packages")
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return [str(folder / "own/bin/claude-max-api")]


def uv_tool(wheel: Path, folder: Path, env: dict[str, str]) -> list[str]:
    install([str(SCRIPTS / "uv"), "tool", "install", "-q", "--python", sys.executable, str(wheel)], env, folder)
    return [str(folder / ".local/bin/claude-max-api")]


def uvx(wheel: Path, folder: Path, env: dict[str, str]) -> list[str]:
    argv = [str(SCRIPTS / "uvx"), "-q", "--python", sys.executable, "--from", str(wheel), "claude-max-api"]
    install([*argv, "--version"], env, folder)
    return argv


def pipx(wheel: Path, folder: Path, env: dict[str, str]) -> list[str]:
    # Not of the test extra: it wants another filelock than LiteLLM.
    argv = [str(SCRIPTS / "uvx"), "-q", "--python", sys.executable, "pipx", "install", "-q", "--python", sys.executable]
    install([*argv, str(wheel)], env, folder)
    return [str(folder / ".local/bin/claude-max-api")]


@pytest.mark.parametrize("way", [uv_tool, uvx, pipx], ids=lambda way: way.__name__)
def test_installed(wheel: Path, tmp_path: Path, way: Callable[[Path, Path, dict[str, str]], list[str]]) -> None:
    """In each way the wheel brings the command, and with it the documents."""
    env = hermetic.environment(tmp_path, UV_SYSTEM_CERTS="1")
    command = way(wheel, tmp_path, env)
    assert __version__ in run([*command, "--version"], env, tmp_path).stdout
    assert "claude-max-api config" in run([*command, "docs", "clients"], env, tmp_path).stdout


def test_two_commands(wheel: Path, claude: Path, tmp_path: Path) -> None:
    """With the wheel and Python alone, the second command gets the demo's answer."""
    env = hermetic.environment(tmp_path, CLAUDE_BIN=str(claude), CLAUDE_PROXY_DEMO="1")
    answer = run([*venv(wheel, tmp_path, env), "ask", "Hello there"], env, tmp_path)
    assert "demo: it needs no login" in answer.stdout, answer.stderr


def test_honcho(tmp_path: Path) -> None:
    """`honcho start` serves on 3456, and not on the port that it would choose."""
    (line,) = (ROOT / "Procfile").read_text().splitlines()
    assert line == "web: gunicorn -c app/gunicorn_config.py wsgi:app"
    (tmp_path / "Procfile").write_text("web: echo the port is $PORT\n")
    shutil.copy(ROOT / ".env", tmp_path)
    argv = [str(SCRIPTS / "honcho"), "start"]
    if not Path(argv[0]).is_file():
        pytest.skip("honcho is not there: pip install '.[test]' brings it")
    env = hermetic.environment(tmp_path)
    assert "the port is 3456" in run(argv, env, tmp_path).stdout
    assert "the port is 8080" in run([*argv, "-e", os.devnull, "-p", "8080"], env, tmp_path).stdout
