"""The files of the last captures: how many, how large, for whom, and what happens where there can be none."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from server import until

from app.captures import captures as module
from app.captures.capture import read, read_head
from app.captures.captures import Captures, files
from app.records.record import RequestRecord


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "captures"


@pytest.fixture
def captures(folder: Path) -> Iterator[Captures]:
    made = Captures(folder, 3, ["a-secret"], {"CLAUDE_PROXY_RECORD": "3"})
    made.open()
    yield made
    made.close()


def run(captures: Captures, data: bytes = b"{}", name: str = "") -> str:
    """Capture one request, to its end."""
    record = RequestRecord("/v1/x", "POST")
    record.id = name or record.id
    captures.begin(record, [], ["its-own-secret"]).add("body", data)
    record.give_back()
    return record.id


def test_kept(captures: Captures, folder: Path) -> None:
    """A request is kept when it has ended, for its owner alone, without a credential, and with what is known of it."""
    name = run(captures, b"a-secret its-own-secret {}")
    path = until(lambda: next(files(folder), None))
    head, (part,) = read(path)
    assert (head.summary.id, head.summary.route, part.text) == (name, "/v1/x", "[credential] [credential] {}")
    assert set(head.versions) == {"proxy", "python", "system"}
    assert head.settings == {"CLAUDE_PROXY_RECORD": "3"}
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_last(captures: Captures, folder: Path) -> None:
    """The oldest go first, whichever worker wrote them."""
    other = Captures(folder, 3)
    ids = []
    for worker in (captures, other, captures, other, captures):
        ids.append(run(worker))
        worker.close()
    assert [read_head(path).summary.id for path in files(folder)] == ids[:1:-1]


def test_large_ones(captures: Captures, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All together are bounded in bytes, too, and the last one is always kept."""
    monkeypatch.setattr(module, "MAX_KEPT", 5000)
    ids = []
    for size in (2000, 2000, 2000, 9000):
        ids.append(run(captures, b"x" * size))
        captures.close()
    assert [read_head(path).summary.id for path in files(folder)] == ids[-1:]


def test_held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker holds in memory is bounded, and given back once it is written."""
    monkeypatch.setattr(module, "MAX_HELD", 1000)
    captures = Captures(folder, 3)
    for _ in range(3):
        run(captures, b"x" * 700)
    assert captures._held <= 1000
    captures.close()
    assert captures._held == 0
    assert sorted(read_head(path).left_out.get("body", 0) for path in files(folder)) == [0, 700, 700]


def test_cannot_be_written(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the folder cannot be used that is said once, and requests go on."""
    folder.parent.mkdir()
    folder.write_text("in the way")
    captures = Captures(folder, 3)
    with caplog.at_level(logging.ERROR, "app"):
        run(captures)
        run(captures)
        captures.close()
    assert [line.message.split(str(folder))[0] for line in caplog.records] == ["captures cannot be kept in "]
    assert captures._held == 0


def test_half_written(captures: Captures, folder: Path) -> None:
    """What a killed worker left half written goes, after a while."""
    folder.mkdir(parents=True)
    old, fresh = folder / "x.new", folder / "y.new"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, time.time() - 120))
    run(captures)
    captures.close()
    assert (old.exists(), fresh.exists()) == (False, True)


def test_off(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Switched off it writes nothing, and says where something is left of before."""
    captures = Captures(folder, 0)
    with caplog.at_level(logging.WARNING, "app"):
        captures.open()
        assert caplog.records == []
        folder.mkdir(parents=True)
        (folder / "1-req_a.jsonl").touch()
        captures.open()
    assert "report --clear" in caplog.records[0].getMessage()


def test_on(captures: Captures, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Switched on it says so, as a warning, at every start."""
    with caplog.at_level(logging.WARNING, "app"):
        captures.open()
    assert str(folder) in caplog.records[0].getMessage()
