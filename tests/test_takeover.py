"""Nothing is taken over where the database cannot be reached; where it can, tests/postgres shows what is."""

from __future__ import annotations

import hermetic
import pytest
from click.testing import CliRunner
from server import free_port

from app import takeover
from app.console import main
from app.errors import StorageUnavailable
from app.keys.file import KeyFile
from app.keys.key import Key
from app.postgres.database import Postgres
from app.takeover import take_over


def test_a_database_that_is_away(tmp_path):
    """The first thing that cannot be copied ends it, in words, and the files are as they were."""
    KeyFile(tmp_path).add("laptop")
    database = Postgres(f"postgresql://127.0.0.1:{free_port()}/garden")
    with pytest.raises(StorageUnavailable, match="is away"):
        list(take_over(tmp_path, database, 60))
    assert [key.name for key in KeyFile(tmp_path).read()] == ["laptop"]
    database.close()


class Keys:
    """Keys of a database that has one named `phone`."""

    def __init__(self, _database):
        self._digests = {"phone": b"another"}

    def read(self):
        return tuple(Key(name, sha256) for name, sha256 in self._digests.items())

    def take_over(self, key):
        return self._digests.setdefault(key.name, key.digest) == key.digest


def test_a_name_that_is_taken(tmp_path, monkeypatch):
    """A key whose name stands for another one there is named, and holds up no other; nothing is said of its secret."""
    (tmp_path / "state").mkdir(mode=0o700)
    file = KeyFile(tmp_path / "state")
    secrets = [file.add(name) for name in ("laptop", "phone", "tablet")]
    monkeypatch.setattr(takeover, "PostgresKeys", Keys)
    env = hermetic.environment(tmp_path, CLAUDE_PROXY_DATABASE=f"postgresql://127.0.0.1:{free_port()}/garden")
    copied = CliRunner().invoke(main, ["database", "copy"], env=env)
    assert copied.exit_code == 0, copied.output
    assert copied.stdout.splitlines() == ["API keys: 3 found, 2 copied."]
    assert copied.stderr.startswith("phone: not copied")
    assert not any(secret in copied.output for secret in secrets)
