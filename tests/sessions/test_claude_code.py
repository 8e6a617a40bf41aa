"""Which of Claude Code's transcripts a session's name means."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from app.conversation import ClaudeSession
from app.sessions import claude_code

ID = str(uuid.uuid4())


def test_ids():
    """An id is one as Claude Code writes it; any other text is a name."""
    assert str(claude_code.parse_id(ID)) == str(claude_code.parse_id(ID.upper())) == ID
    for name in ("garden", "", ID.replace("-", ""), f"{{{ID}}}", f"../{ID}", f"{ID}*"):
        assert claude_code.parse_id(name) is None


def test_names():
    """A name means the same session each time, and another one for any other owner, agent or folder."""
    given = ("ann.1", "notes", Path("/notes"), "garden")
    found = claude_code.id_of(*given)
    assert found == claude_code.id_of(*given)
    assert uuid.UUID(found).version == claude_code.FROM_NAME
    others = [("ben.1", "notes", Path("/notes"), "garden"), ("ann.1", "other", Path("/notes"), "garden")]
    others += [("ann.1", "notes", Path("/notes/garden"), "garden"), ("ann.1", "notes", Path("/notes"), "Garden")]
    assert len({found, *(claude_code.id_of(*other) for other in others)}) == 5


@pytest.mark.parametrize("variable", ["HOME", "CLAUDE_CONFIG_DIR"])
def test_find(tmp_path, variable):
    """A session is found in the folder where it began, by whatever link, and in no other."""
    folder, other = tmp_path / "notes", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (tmp_path / "link").symlink_to(folder)
    claude = tmp_path / ".claude" if variable == "HOME" else tmp_path
    path = claude / "projects" / "-any-name" / f"{ID}.jsonl"
    path.parent.mkdir(parents=True)
    environ = {variable: str(tmp_path)}
    assert claude_code.find(environ, folder, ID) is None
    lines = [{"type": "queue-operation"}, {"type": "user", "cwd": str(folder)}, {"type": "user", "cwd": str(other)}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = ClaudeSession(ID, str(path))
    assert claude_code.find(environ, folder, ID) == claude_code.find(environ, tmp_path / "link", ID) == found
    assert claude_code.find(environ, other, ID) is None
    path.write_text("no JSON\n")
    assert claude_code.find(environ, folder, ID) is None
