"""The file of keys: private, whole at every moment, and not believed when it is not."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
import threading

import pytest

from app.errors import ConfigError
from app.keys.file import KeyFile
from app.keys.key import digest
from app.keys.terms import Terms


@pytest.fixture
def file(tmp_path):
    return KeyFile(tmp_path)


def test_add_and_revoke(file):
    """A key added is there by its digest, with the day it was made, and gone when revoked; others stay."""
    assert file.read() is None
    secrets = {name: file.add(name) for name in ("a", "b")}
    assert {key.name: key.digest for key in file.read()} == {name: digest(secrets[name]) for name in secrets}
    assert all(re.match(r"\d{4}-\d\d-\d\dT", key.created) for key in file.read())
    assert file.revoke("a") == 1
    assert [key.name for key in file.read()] == ["b"]


def test_no_secret_on_disk(file, tmp_path):
    """The folder holds no secret, only what it is known by, for the owner alone."""
    secret = file.add("a")
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]
    assert secret not in file.path.read_text()
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_umask(file):
    """However open or closed the person's umask is, the file is the owner's."""
    former = os.umask(0)
    try:
        file.add("a")
    finally:
        os.umask(former)
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_last_key(file):
    """When the last key is gone the file is still there: it is not the same as none."""
    file.add("a")
    assert file.revoke("a") == 0
    assert file.read() == ()


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "x" * 65, "../a", "ä", "-a"])
def test_bad_names(file, name):
    """A name that would not do in a log line is refused, and nothing is written."""
    with pytest.raises(ConfigError, match="cannot name a key"):
        file.add(name)
    assert file.read() is None


def test_twice_and_never(file):
    """A name that is taken is not taken over, and one that is not there cannot be revoked."""
    file.add("a")
    with pytest.raises(ConfigError, match="a key named a already"):
        file.add("a")
    with pytest.raises(ConfigError, match="no key named 'b'"):
        file.revoke("b")
    assert len(file.read()) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_open_to_others(file, mode):
    """A file that others can read or write is refused in a sentence that mends it, by every command."""
    file.add("a")
    file.path.chmod(mode)
    for use in (file.read, lambda: file.add("b"), lambda: file.revoke("a")):
        with pytest.raises(ConfigError, match=f"chmod 600 {file.path}"):
            use()
    file.path.chmod(0o600)
    assert len(file.read()) == 1


ENTRY = {"name": "a", "sha256": "0" * 64, "created": ""}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"keys": null}',
        b"\xff",
        *(
            json.dumps({"keys": [{**ENTRY, **change}]}).encode()
            for change in ({"sha256": "0"}, {"sha256": "G" * 64}, {"sha256": "0" * 64 + "\n"}, {"name": "a\nb"})
        ),
        json.dumps({"keys": [ENTRY]}).encode()[:-3],
    ],
)
def test_damaged(file, content):
    """A damaged file is an error that says so, never an empty list; and nothing writes over it."""
    file.path.write_bytes(content)
    file.path.chmod(0o600)
    for use in (file.read, lambda: file.add("b")):
        with pytest.raises(ConfigError, match="damaged") as caught:
            use()
        assert "\n" not in str(caught.value)
    assert file.path.read_bytes() == content


def test_unreadable(file):
    """What is no file at all is an error as well."""
    file.path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        file.read()


def test_side_by_side(file):
    """Commands that run at the same time do not lose each other's keys."""
    names = [f"k{number}" for number in range(12)]
    threads = [threading.Thread(target=file.add, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key.name for key in file.read()) == sorted(names)


def test_signature(file):
    """Every change of the file, of its content or of who may read it, shows in its signature."""
    seen = [file.signature()]
    for change in (
        lambda: file.add("a"),
        lambda: file.add("b"),
        lambda: file.revoke("a"),
        lambda: file.path.chmod(0o644),
        file.path.unlink,
    ):
        change()
        seen.append(file.signature())
    assert seen[0] is seen[-1] is None
    assert all(one != other for one, other in itertools.pairwise(seen))


def test_terms_and_other_versions(tmp_path):
    """A file of an older server has keys without terms, and what a newer one adds is passed over."""
    file = KeyFile(tmp_path)
    file.add("plain")
    assert "terms" not in file.path.read_text()
    file.add("phone", Terms(tokens_per_day=5))
    text = file.path.read_text().replace('"tokens_per_day"', '"of_a_newer_one": {}, "tokens_per_day"')
    file.path.write_text(text)
    assert [key.terms for key in file.read()] == [Terms(), Terms(tokens_per_day=5)]
    assert file.change("phone", {"tokens_per_day": None, "personal": True}) == Terms(personal=True)


def test_another_command_that_does_not_end(file, tmp_path):
    """Nobody writes beside a command that has stopped in its midst: it could bring back a key that is revoked."""
    file.add("a")
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with pytest.raises(ConfigError, match="somebody else is writing"):
        file.revoke("a")
    os.close(folder)
    assert file.revoke("a") == 0
