"""The application is built without a trace, and started with the server or with the first request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hermetic
import pytest

from app import create_app
from app.config_reading import read_settings
from app.web.state import state

FAKE_CLAUDE = Path(__file__).parent / "fake_claude.py"


@pytest.mark.parametrize("demo", ["0", "1"])
def test_building_does_nothing(tmp_path, demo):
    """`flask --app wsgi routes` lists the routes, and starts no process, opens no thread and makes no folder."""
    marker = tmp_path / "started"
    claude = tmp_path / "claude"
    claude.write_text(f"#!/bin/sh\ntouch {marker}\n")
    claude.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    env = hermetic.environment(home, CLAUDE_BIN=str(claude), CLAUDE_PROXY_DEMO=demo)
    code = (
        "import threading; from flask.cli import main; import sys, atexit;"
        "atexit.register(lambda: print('threads', threading.active_count()));"
        "sys.argv = ['flask', '--app', 'wsgi', 'routes']; main()"
    )
    argv = [sys.executable, "-c", code]
    told = subprocess.run(argv, env=env, cwd=FAKE_CLAUDE.parent.parent, capture_output=True, check=True, timeout=60)
    assert b"/v1/chat/completions" in told.stdout
    assert b"threads 1" in told.stdout
    assert not marker.exists()
    assert list(home.iterdir()) == []


def test_first_request_starts(tmp_path, logger):
    """Without gunicorn's worker the first request that needs it starts what serves; a probe does not."""
    env = hermetic.environment(tmp_path, CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="1")
    app = create_app(read_settings(env))
    folder = state(app).settings.state_dir / "processes"
    client = app.test_client()
    try:
        assert client.get("/health").status_code == 200
        assert client.get("/v1/models", headers={"Host": "evil.example"}).status_code == 403
        assert not folder.exists()
        assert client.get("/v1/models").status_code == 200
        assert folder.exists()
    finally:
        state(app).start.close()


def test_a_folder_that_cannot_be_used(tmp_path, logger, caplog):
    """Where the start fails, what needs it is refused, and the log has the sentence without a traceback."""
    (tmp_path / "file").touch()
    env = hermetic.environment(tmp_path, CLAUDE_BIN=str(FAKE_CLAUDE))
    client = create_app(read_settings({**env, "CLAUDE_PROXY_STATE_DIR": str(tmp_path / "file" / "x")})).test_client()
    assert client.get("/v1/models").status_code == 500
    assert "CLAUDE_PROXY_STATE_DIR" in caplog.text
    assert "Traceback" not in caplog.text
    assert client.get("/health").status_code == 200
