"""claude-max-api database: it takes a database to copy to; what it copies is shown in tests/postgres."""

from __future__ import annotations

import hermetic
from click.testing import CliRunner

from app.console import main


def test_without_a_database(tmp_path):
    """The command names the setting that it needs."""
    result = CliRunner().invoke(main, ["database", "copy"], env=hermetic.environment(tmp_path))
    assert result.exit_code == 1
    assert "CLAUDE_PROXY_DATABASE" in result.output


def test_a_setting_that_cannot_be_used(tmp_path):
    """It is named, in a sentence."""
    env = hermetic.environment(tmp_path, CLAUDE_PROXY_SPARES="many")
    result = CliRunner().invoke(main, ["database", "copy"], env=env)
    assert result.exit_code == 1
    assert result.output.startswith("Error: CLAUDE_PROXY_SPARES=many")
