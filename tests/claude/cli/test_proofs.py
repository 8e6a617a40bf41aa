"""The proofs of executables: kept for each file, until the file or this server changes, and never a reason to fail."""

from __future__ import annotations

import dataclasses
import os
import stat

import msgspec
import proven
import pytest

from app.claude.cli import proofs as module
from app.claude.cli.proofs import Capabilities, Proofs


@pytest.fixture
def claude(script):
    return script("echo 2.1.330")


@pytest.fixture
def proofs(tmp_path):
    return Proofs(tmp_path / "state")


def of(proofs, path):
    """Return what is known of the file as it is."""
    status = path.stat()
    return proofs.of(path, status.st_size, status.st_mtime_ns)


def test_kept(proofs, claude, tmp_path):
    """A proof is known to whoever looks into the folder, which only its owner can read."""
    proofs.keep(proven.pretended(claude))
    found = of(Proofs(tmp_path / "state"), claude)
    assert found == of(proofs, claude) == proven.pretended(claude).__class__(**msgspec.structs.asdict(found))
    (file,) = (tmp_path / "state" / "proofs").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("change", ["content", "time"])
def test_another_file(proofs, claude, change):
    """A file that has been replaced is another one, of which nothing is known."""
    proofs.keep(proven.pretended(claude))
    before = claude.stat()
    if change == "content":
        claude.write_text("#!/bin/sh\necho 2.1.331 # longer\n")
        os.utime(claude, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        os.utime(claude, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert of(proofs, claude) is None
    assert proofs.usable() == []


def test_another_edition(proofs, claude):
    """What another version of this server has found out is found out again."""
    proofs.keep(msgspec.structs.replace(proven.pretended(claude), edition="another"))
    assert of(proofs, claude) is None
    assert proofs.usable() == []


def test_edition_is_the_code(monkeypatch, tmp_path):
    """The edition changes with the code that asks and proves."""
    monkeypatch.setattr(module, "__file__", str(tmp_path / "app" / "claude" / "cli" / "proofs.py"))
    (tmp_path / "app" / "claude").mkdir(parents=True)
    editions = []
    for text in ("one", "two"):
        (tmp_path / "app" / "claude" / "lines.py").write_text(text)
        editions.append(module.edition.__wrapped__())
    assert editions[0] != editions[1]


def test_usable(proofs, script):
    """Those that hold and are there, the newest version first."""
    paths = [script("exit", name=f"claude-{number}") for number in range(4)]
    versions = ("2.1.99", "2.1.330", "2.1.331", "2.1.332")
    for path, version in zip(paths, versions, strict=True):
        proofs.keep(proven.pretended(path, version, ("alone",) if version == "2.1.332" else ("effort",)))
    assert [proof.version for proof in proofs.usable()] == ["2.1.331", "2.1.330", "2.1.99"]
    paths[2].unlink()
    paths[1].chmod(0o644)
    found = [proof.version for proof in proofs.usable()]
    assert found == (["2.1.330", "2.1.99"] if os.geteuid() == 0 and os.access(paths[1], os.X_OK) else ["2.1.99"])


def test_before(proofs, script):
    """One compares with the nearest earlier version, also when it is gone."""
    for version in ("2.1.99", "2.1.330", "2.1.332"):
        path = script("exit", name=f"claude-{version}")
        proofs.keep(proven.pretended(path, version))
        path.unlink()
    newest = proven.pretended(script("exit", name="claude"), "2.1.331")
    assert proofs.before(newest).version == "2.1.330"
    assert proofs.before(msgspec.structs.replace(newest, version="2.1.99")) is None


def test_damaged(proofs, claude, tmp_path, caplog):
    """A damaged file is no proof, and said to be damaged once."""
    proofs.keep(proven.pretended(claude))
    (file,) = (tmp_path / "state" / "proofs").iterdir()
    file.write_bytes(b'{"path": 1}')
    other = Proofs(tmp_path / "state")
    assert of(other, claude) is None
    assert of(other, claude) is None
    assert other.usable() == []
    assert len(caplog.records) == 1


def test_cannot_be_written(claude, tmp_path):
    """Where nothing can be written the proof counts until the program ends."""
    (tmp_path / "state").write_text("a file where the folder should be")
    proofs = Proofs(tmp_path / "state")
    with pytest.raises(OSError, match=r"exists|directory"):
        proofs.keep(proven.pretended(claude))
    assert of(proofs, claude).holds


def test_gone_ones_are_few(proofs, script, monkeypatch):
    """Of executables that are gone the last few are kept."""
    monkeypatch.setattr(module, "MAX_FILES", 2)
    for number in range(5):
        path = script("exit", name=f"claude-{number}")
        proofs.keep(msgspec.structs.replace(proven.pretended(path, f"2.1.{number + 200}"), at=float(number)))
        path.unlink()
    proofs.keep(proven.pretended(script("exit")))
    assert sorted(proof.version for proof in proofs._all()) == ["2.1.203", "2.1.204", "2.1.330"]


def test_capabilities(claude):
    """Everything is on where all is kept; each promise that is broken switches its own off."""
    whole = proven.pretended(claude)
    assert whole.holds
    assert whole.capabilities == Capabilities(
        composed=True, going_back=True, quick_history=True, manifests=True, models=True, counting=True, held=True
    )
    broken = proven.pretended(claude, broken=("going_back_results", "effort", "login"))
    assert broken.holds
    assert not broken.capabilities.going_back
    assert not broken.capabilities.effort
    assert broken.capabilities.composed
    assert not proven.pretended(claude, broken=("no_tools",)).holds


def test_unproven():
    """Nothing undocumented is relied on before it is proven."""
    assert [name for name, on in dataclasses.asdict(Capabilities()).items() if not on] == [
        "composed", "going_back", "quick_history", "manifests", "models", "counting", "held",
    ]  # fmt: skip
