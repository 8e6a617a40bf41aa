"""The build's entry point: setup.cfg declares the package; here the README becomes its page on an index."""

from __future__ import annotations

import os
import re
from pathlib import Path

from setuptools import setup

# Where the repository is, such as https://github.com/OWNER/claude-max-api-proxy: whoever publishes the package says it.
URL = os.environ.get("PROJECT_URL", "").rstrip("/")
RELATIVE = re.compile(r"\[([^\]]+)\]\((?![a-z]+:)([^)]+)\)")


def page() -> str:
    """Return the README with links that lead somewhere from elsewhere, or with none."""
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    return RELATIVE.sub(rf"[\1]({URL}/blob/main/\2)" if URL else r"\1", readme)


links = {"Homepage": URL, "Changelog": f"{URL}/blob/main/CHANGELOG.md", "Issues": f"{URL}/issues"} if URL else {}
setup(long_description=page(), project_urls=links)
