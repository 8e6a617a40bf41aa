"""Where sessions and keys are: in files, unless a database is named."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from app.config import Settings
from app.errors import ConfigError
from app.keys.file import KeyFile
from app.keys.postgres import PostgresKeys
from app.sessions.postgres import PostgresStore
from app.sessions.sqlite import SqliteStore
from app.storage import open_storage

URL = "postgresql://ann:SECRETWORD@127.0.0.1/garden"


def test_files(tmp_path):
    """Without a database there are files, and a key is asked for where others can reach the server."""
    storage = open_storage(Settings(state_dir=tmp_path))
    assert (type(storage.keys), type(storage.sessions), storage.database) == (KeyFile, SqliteStore, None)
    assert not storage.closed
    assert open_storage(Settings(state_dir=tmp_path, host="0.0.0.0")).closed


LOADED = """
import sys
from pathlib import Path
import app.console, wsgi
from app.config import Settings
from app.storage import open_storage
open_storage(Settings(state_dir=Path(sys.argv[1])))
print([name for name in sys.modules if "psycopg" in name])
"""


def test_files_need_no_library(tmp_path):
    """Whoever names no database loads nothing of PostgreSQL's, installed or not."""
    loaded = subprocess.run([sys.executable, "-c", LOADED, tmp_path], capture_output=True, check=True).stdout
    assert loaded == b"[]\n"


def test_a_database(tmp_path):
    """All is in the database that is named; nobody is asked for it yet, and keys in a file keep the server closed."""
    settings = Settings(state_dir=tmp_path, database=URL)
    storage = open_storage(settings)
    assert (type(storage.keys), type(storage.sessions)) == (PostgresKeys, PostgresStore)
    assert not storage.closed
    KeyFile(tmp_path).add("laptop")
    assert open_storage(settings).closed


def test_without_the_library(tmp_path, monkeypatch):
    """A database without the extra is refused, with the command that brings it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"\[postgres\]"):
        open_storage(Settings(state_dir=tmp_path, database=URL))
