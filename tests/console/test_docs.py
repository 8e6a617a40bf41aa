"""The documents of this version, on a terminal."""

from __future__ import annotations

import re

from click.testing import CliRunner

from app import documentation
from app.console import main

TOPICS = documentation.topics()


def test_on_a_terminal():
    """The command lists the documents and prints each as it was written."""
    shown = CliRunner().invoke(main, ["docs"])
    assert shown.exit_code == 0
    assert all(
        re.search(rf"^{topic} +{re.escape(title)}$", shown.output, re.MULTILINE) for topic, title in TOPICS.items()
    )
    assert documentation.read("security") in CliRunner().invoke(main, ["docs", "security"]).output
    assert CliRunner().invoke(main, ["docs", "nothing"]).exit_code == 2
