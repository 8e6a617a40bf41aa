"""A running server's keys: which are right, when the server is closed, and that nothing tells how near one was."""

from __future__ import annotations

import hmac
import logging

import pytest

from app.errors import ConfigError, KeysUnusable
from app.keys import keyring
from app.keys.file import KeyFile
from app.keys.key import Key, digest
from app.keys.keyring import Keyring

SECRETS = {name: name * 16 for name in "abc"}
KEYS = [Key(name, digest(secret)) for name, secret in SECRETS.items()]


@pytest.fixture
def file(tmp_path):
    return KeyFile(tmp_path)


def name_of(ring: Keyring, *secrets: str) -> str | None:
    key = ring.find(*secrets)
    return key and key.name


def test_without_keys(file):
    """Without any key the server asks for none."""
    ring = Keyring((), file)
    assert not ring.closed
    assert len(ring) == 0
    assert name_of(ring, "x") is None


def test_names(file):
    """A right secret tells its name, wherever it comes from and whichever of several it is."""
    kept = file.add("kept")
    ring = Keyring(KEYS, file)
    assert ring.closed
    assert len(ring) == 4
    for name, secret in {**SECRETS, "kept": kept}.items():
        assert name_of(ring, secret) == name_of(ring, "", secret) == name_of(ring, secret, "wrong") == name
    for wrong in ("", "a", "a" * 15, "a" * 17, "A" * 16, "ä" * 16, "\ud800", "x" * 100_000):
        assert name_of(ring, wrong) is None


@pytest.mark.parametrize("sent", [("",), ("a" * 16,), ("c" * 16,), ("a" * 15 + "b",), ("a" * 16, "c" * 16), ("", "")])
def test_no_tell(file, monkeypatch, sent):
    """Each secret is compared with each key by digest and in constant time, whether or not one was right before."""
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    class Counting:
        compare_digest = staticmethod(compare)

    file.add("kept")
    ring = Keyring(KEYS, file)
    monkeypatch.setattr(keyring, "hmac", Counting)
    name_of(ring, *sent)
    keys = [*(key.digest for key in KEYS), file.read()[0].digest]
    assert compared == [(key, digest(secret)) for secret in sent for key in keys]
    assert {len(one) for pair in compared for one in pair} == {32}


def test_changes_are_noticed(file):
    """A key made or revoked while the server runs counts from then on; the first one closes the server."""
    ring = Keyring((), file)
    assert not ring.closed
    secret = file.add("late")
    assert ring.closed
    assert name_of(ring, secret) == "late"
    other = file.add("other")
    file.revoke("late")
    assert name_of(ring, secret) is None
    assert name_of(ring, other) == "other"


def test_the_last_key_opens_nothing(file):
    """Every key revoked, or their file lost: the server stays closed; also when it starts anew on an empty file."""
    secret = file.add("a")
    ring = Keyring((), file)
    file.revoke("a")
    assert ring.closed
    assert name_of(ring, secret) is None
    assert Keyring((), file).closed
    file.path.unlink()
    assert ring.closed
    assert not Keyring((), file).closed


def test_bad_file_at_the_start(file):
    """A server does not start on a file that is not to be trusted."""
    file.path.write_text("{")
    file.path.chmod(0o600)
    with pytest.raises(ConfigError, match="damaged"):
        Keyring(KEYS, file)


@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o666), lambda path: path.write_text("{")])
def test_bad_file_later(file, caplog, spoil):
    """A file that goes bad lets nobody in and is in the log once; keys of the environment are as good as before."""
    caplog.set_level(logging.INFO, "app")
    secret = file.add("kept")
    ring = Keyring(KEYS, file)
    spoil(file.path)
    for sent in (secret, "x", ""):
        assert ring.closed
        with pytest.raises(KeysUnusable):
            name_of(ring, sent)
    assert name_of(ring, SECRETS["a"]) == "a"
    assert [str(file.path) in message for message in caplog.messages] == [True]
    file.path.unlink()
    mended = file.add("mended")
    assert name_of(ring, mended) == "mended"
    assert name_of(ring, secret) is None
