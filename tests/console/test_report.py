"""claude-max-api report: the list of what is kept, and what is said where there is nothing to pack."""

from __future__ import annotations

import zipfile

import pytest

from app.captures.captures import FOLDER, Captures
from app.records.record import RequestRecord


@pytest.fixture
def kept(home):
    """Two requests, one of them the demo's."""
    for folder, name in (("state", "req_aa1"), ("state/demo", "req_ab2")):
        captures = Captures(home / folder / FOLDER, 5)
        record = RequestRecord("/v1/messages", "POST")
        record.id, record.status = name, 200
        captures.begin(record, [], []).add("body", b'{"system": "Be kind."}')
        record.give_back()
        captures.close()
    return home / "state"


def test_list(console, kept):
    """Each is a line with its id, time, route and status."""
    listed = console("report")
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.output.splitlines()] == ["req_aa1", "req_ab2"]
    assert all("POST  /v1/messages  200" in line for line in listed.output.splitlines())


def test_pack(console, kept, home, monkeypatch):
    """The beginning of an id will do; the file's name is the one line on standard output, the rest says what it has."""
    monkeypatch.chdir(home)
    packed = console("report", "req_aa")
    assert (packed.exit_code, packed.stdout) == (0, "req_aa1.zip\n")
    assert "no text of the conversation" in packed.stderr
    with zipfile.ZipFile(home / "req_aa1.zip") as archive:
        assert archive.namelist() == ["about.txt", "request.json", "body.json", "lines.jsonl", "sent.jsonl"]
        assert b"no text of the conversation" in archive.read("about.txt")
        assert archive.read("body.json") == b'{\n  "system": "<8 characters, text 1>"\n}\n'
    whole = console("report", "req_aa1", "--with-contents", "-o", "whole.zip")
    assert "read the rest before you hand it on" in whole.stderr
    with zipfile.ZipFile(home / "whole.zip") as archive:
        assert archive.read("body.json") == b'{"system": "Be kind."}'


@pytest.mark.parametrize(
    ("name", "said"),
    [("req_a", "2 requests begin with req_a"), ("req_zz", "Nothing is kept of a request req_zz. `claude")],
)
def test_which(console, kept, name, said):
    """An id of several, or of none, is an error that says how to find the right one."""
    refused = console("report", name)
    assert refused.exit_code == 1
    assert said in refused.output


def test_nothing(console):
    """Where nothing is kept it is said how something will be."""
    assert "CLAUDE_PROXY_RECORD=20" in console("report").stderr
    assert "CLAUDE_PROXY_RECORD=20" in console("report", "req_a").output


def test_damaged(console, kept):
    """A file that cannot be read is said to be one, and does not hide the others."""
    (path,) = (kept / FOLDER).iterdir()
    path.write_text("{}\n")
    assert "req_aa1  cannot be read" in console("report").output
    refused = console("report", "req_aa1")
    assert (refused.exit_code, isinstance(refused.exception, SystemExit)) == (1, True)


def test_clear(console, kept):
    """All goes at once."""
    assert console("report", "--clear").exit_code == 0
    assert [*kept.glob("**/*.jsonl")] == []
